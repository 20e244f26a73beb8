package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sys/unix"
)

// probeResult is one line of the table: what probing peers costs an agent.
type probeResult struct {
	Peers    int     `json:"peers"`
	Sent     float64 `json:"requestsPerSecond"`
	Answered float64 `json:"repliesPerSecond"`
	On       float64 `json:"cpuMillis"`    // CPU in Seconds with probes
	Off      float64 `json:"cpuMillisOff"` // and without
	Share    float64 `json:"percentOfCore"`
	Resident float64 `json:"residentMB"` // with probes
	ResOff   float64 `json:"residentMBOff"`
	Seconds  float64 `json:"seconds"`
}

var probeHeadings = []string{"peers", "sent/s", "answered/s", "cpu ms", "without", "seconds", "% of a core", "rss MB", "without"}

func (r probeResult) cells() []string {
	f := func(digits int, v float64) string { return fmt.Sprintf("%.*f", digits, v) }
	return []string{
		fmt.Sprint(r.Peers), f(1, r.Sent), f(1, r.Answered), f(1, r.On), f(1, r.Off), f(0, r.Seconds), f(2, r.Share), f(1, r.Resident), f(1, r.ResOff),
	}
}

// measureProbes has an agent probe every number of peers, all of which answer.
func measureProbes(ctx context.Context, o *options) (all []probeResult, err error) {
	etcd, closeStore, err := serveEtcd(ctx, o, "probe-etcd")
	if err != nil {
		return nil, err
	}
	defer closeStore()
	for _, n := range o.peers {
		progress("probes, %d peers ...", n)
		r := probeResult{Peers: n, Seconds: o.idle.Seconds()}
		for _, interval := range []string{"1s", "0s"} {
			if err := r.measure(ctx, o, etcd, interval); err != nil {
				return nil, fmt.Errorf("probes of %d peers, interval %s: %w", n, interval, err)
			}
		}
		r.Share = (r.On - r.Off) / r.Seconds / 10
		all = append(all, r)
	}
	return all, nil
}

// measure watches an agent at rest that probes at an interval.
func (r *probeResult) measure(ctx context.Context, o *options, etcd *clientv3.Client, interval string) (err error) {
	name := fmt.Sprintf("probe-%d-%s", r.Peers, interval)
	network, err := newNetwork(ctx, etcd, "/bench/"+name, hostGWBackend)
	if err != nil {
		return err
	}
	doc := fmt.Sprintf(`{"Network": "10.0.0.0/8", "SubnetLen": 24, "Backend": {"Type": %q}, "Probe": {"Interval": %q}}`, hostGWBackend, interval)
	if _, err := etcd.Put(ctx, path.Join(network.prefix, "config"), doc); err != nil {
		return err
	}
	if err := network.fill(ctx, peersUpTo(r.Peers)); err != nil {
		return err
	}
	w, err := newWorld()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := answerForPeers(); err != nil {
		return fmt.Errorf("have the hub answer for all peers: %w", err)
	}
	if err := w.knowNeighbours(peersUpTo(r.Peers)); err != nil {
		return fmt.Errorf("tell the agent's namespace its neighbours: %w", err)
	}
	a, _, err := start(ctx, w, o, network.etcdArgs(o), nil, filepath.Join(o.dir, name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.stop()) }()
	time.Sleep(settle)
	return r.watch(a, o.idle, interval != "0s")
}

// watch takes the agent's CPU time and counts its packets.
func (r *probeResult) watch(a *agent, d time.Duration, probes bool) error {
	used, err := a.cpu()
	echoes, err2 := a.echoes()
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	time.Sleep(d)
	after, err := a.cpu()
	now, err2 := a.echoes()
	m, err3 := a.memory()
	if err := errors.Join(err, err2, err3); err != nil {
		return err
	}
	if !probes {
		r.Off, r.ResOff = millis(after-used), megabytes(m.resident)
		return nil
	}
	r.On, r.Resident = millis(after-used), megabytes(m.resident)
	r.Sent, r.Answered = float64(now.sent-echoes.sent)/d.Seconds(), float64(now.answered-echoes.answered)/d.Seconds()
	return nil
}

// knowNeighbours has the agent's kernel know the hub as the neighbour with each
// peer's address. 10,000 that it has to ask for are more than it keeps
// (gc_thresh3): the bench would measure how it looks for some to forget.
func (w *world) knowNeighbours(peers []peer) error {
	hub, err := netlink.LinkByName(hubEnd)
	if err != nil {
		return err
	}
	return w.ns.Do(func() error {
		link, err := netlink.LinkByName(uplink)
		if err != nil {
			return err
		}
		for _, p := range peers {
			err := netlink.NeighSet(&netlink.Neigh{
				LinkIndex: link.Attrs().Index, IP: net.IP(p.public.AsSlice()), HardwareAddr: hub.Attrs().HardwareAddr, State: netlink.NUD_PERMANENT,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// answerForPeers makes the addresses of all peers local to the hub, which
// answers for them.
func answerForPeers() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	for _, bits := range []int{17, 18, 19, 20} { // all of the underlay but its first 16 /24, where hub and agent are
		first := netip.AddrFrom4([4]byte{192, 168, byte(1 << (24 - bits)), 0})
		route := &netlink.Route{
			LinkIndex: lo.Attrs().Index, Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST,
			Dst: &net.IPNet{IP: net.IP(first.AsSlice()), Mask: net.CIDRMask(bits, 32)},
		}
		if err := netlink.RouteReplace(route); err != nil {
			return err
		}
	}
	return nil
}

// echoes are the echo requests of a namespace and the replies to them.
type echoes struct{ sent, answered int64 }

// echoes reads the counters of the agent's namespace.
func (a *agent) echoes() (e echoes, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/snmp", a.pid()))
	if err != nil {
		return e, err
	}
	var names, values []string
	for line := range strings.Lines(string(text)) {
		if fields, is := strings.CutPrefix(line, "Icmp: "); is {
			names, values = values, strings.Fields(fields)
		}
	}
	for i, name := range names {
		to := map[string]*int64{"OutEchos": &e.sent, "InEchoReps": &e.answered}[name]
		if to == nil || i >= len(values) {
			continue
		}
		if _, err := fmt.Sscan(values[i], to); err != nil {
			return e, err
		}
	}
	return e, nil
}
