package api

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// worstPeers is how many peers have series of their own: those whose paths are
// worst. A series for each would be too many in a large network.
const worstPeers = 5

var (
	descPaths     = desc("paths", "Subnets of peers by the path of packets to them and what probes say of it.", "path", "state")
	descFallbacks = desc("fallbacks", "Subnets of peers to which packets take another path, since the preferred one is lost.")
	descNarrow    = desc("paths_narrow", "Paths in use that do not carry packets of the network's MTU.")
	descLeastMTU  = desc("path_mtu_least_bytes", "Largest packet that passes on the narrowest of these paths; absent without one.")
	descLoss      = desc("path_loss_ratio", "Share of probes without an answer in the last minutes, over all paths in use that are measured.")
	descRTT       = desc("path_rtt_seconds", "Round-trip time of the paths in use that are measured, by quantile of the paths.", "quantile")
	descWorstLoss = desc("path_worst_loss_ratio", "The same share of the peers with the highest one above 0, five at most.", "peer", "subnet", "path")
	descWorstRTT  = desc("path_worst_rtt_seconds", "Round-trip time of the peers with the longest one, five at most.", "peer", "subnet", "path")
)

var pathDescs = []*prometheus.Desc{descPaths, descFallbacks, descNarrow, descLeastMTU, descLoss, descRTT, descWorstLoss, descWorstRTT}

// pathTotals sums up what probes have shown of the paths in use.
type pathTotals struct {
	states    map[[2]string]int // by kind of path and state
	fallbacks int
	narrow    int
	leastMTU  int // bytes; 0: no path is narrow
	loss      float64
	measured  []measuredPath
}

// measuredPath is a path in use that answers.
type measuredPath struct {
	peer   string
	subnet netip.Prefix
	Path
}

// sumPaths returns the totals of all peers. The usual kinds and states are always
// present, so that a graph shows zero instead of a gap.
func sumPaths(peers []Peer) pathTotals {
	t := pathTotals{states: map[[2]string]int{}}
	for _, kind := range []string{"direct", "vxlan"} {
		for _, state := range []ReachState{ReachPasses, ReachLost, ReachUnmeasured} {
			t.states[[2]string{kind, string(state)}] = 0
		}
	}
	for _, p := range peers {
		for _, path := range p.Paths {
			if path.Kind != "none" {
				t.add(p, path)
			}
		}
	}
	for _, m := range t.measured {
		t.loss += m.Reach.Loss / float64(len(t.measured))
	}
	return t
}

func (t *pathTotals) add(p Peer, path Path) {
	r := path.Reach
	t.states[[2]string{path.Kind, string(cmp.Or(r.State, ReachUnmeasured))}]++
	if r.MTU > 0 {
		t.narrow++
		t.leastMTU = min(cmp.Or(t.leastMTU, r.MTU), r.MTU)
	}
	if slices.ContainsFunc(p.Others, func(o Path) bool { return o.Subnet == path.Subnet && o.Kind == "direct" }) {
		t.fallbacks++ // the direct path is the preferred one where there are two
	}
	if r.State != "" && r.State != ReachUnmeasured {
		t.measured = append(t.measured, measuredPath{p.Name, path.Subnet, path})
	}
}

// collect sends the totals, and the worst paths.
func (t pathTotals) collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for key, n := range t.states {
		gauge(descPaths, float64(n), key[0], key[1])
	}
	gauge(descFallbacks, float64(t.fallbacks))
	gauge(descNarrow, float64(t.narrow))
	if t.leastMTU > 0 {
		gauge(descLeastMTU, float64(t.leastMTU))
	}
	if len(t.measured) == 0 {
		return
	}
	gauge(descLoss, t.loss)
	slices.SortFunc(t.measured, func(a, b measuredPath) int { return cmp.Compare(b.Reach.Loss, a.Reach.Loss) })
	for _, m := range t.measured[:min(worstPeers, len(t.measured))] {
		if m.Reach.Loss > 0 {
			gauge(descWorstLoss, m.Reach.Loss, m.peer, m.subnet.String(), m.Kind)
		}
	}
	answering := slices.DeleteFunc(t.measured, func(m measuredPath) bool { return m.Reach.RTT == 0 })
	if len(answering) == 0 {
		return
	}
	slices.SortFunc(answering, func(a, b measuredPath) int { return cmp.Compare(a.Reach.RTT, b.Reach.RTT) })
	for _, q := range []struct {
		name  string
		share float64
	}{{"0.5", 0.5}, {"0.9", 0.9}, {"1", 1}} {
		at := int(q.share * float64(len(answering)-1))
		gauge(descRTT, answering[at].Reach.RTT.Seconds(), q.name)
	}
	for _, m := range answering[max(0, len(answering)-worstPeers):] {
		gauge(descWorstRTT, m.Reach.RTT.Seconds(), m.peer, m.subnet.String(), m.Kind)
	}
}
