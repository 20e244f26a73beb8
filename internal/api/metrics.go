package api

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics reads its numbers from the agent's status at each scrape, so that
// there is a single source of truth.
type metrics struct{ agent Agent }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("weft_"+name, help, labels, nil)
}

var (
	descInfo      = desc("agent_info", "Always 1; labels say which agent this is.", "version", "backend", "store")
	descReady     = desc("ready", "1 while the lease is held and the last pass left no object in error.")
	descDegraded  = desc("degraded", "1 while the agent is ready, but has a problem for which packets can be lost.")
	descPasses    = desc("passes_total", "Reconcile passes since the agent started.")
	descOps       = desc("ops_total", "Operations that the kernel carried out.", "kind", "verb")
	descRepairs   = desc("repairs_total", "Those operations that restored an object which another process had changed or removed.", "kind", "verb")
	descDrift     = desc("drift_total", "Objects that other processes changed or removed, as far as the kernel reports it.", "object", "change")
	descFailures  = desc("op_failures_total", "Objects that could not be written, each attempt counted.")
	descRows      = desc("rows", "Objects of the desired state.")
	descFailed    = desc("rows_failed", "Objects that the last pass left in error.")
	descPass      = desc("last_pass_timestamp_seconds", "Unix time of the last pass.")
	descPassTook  = desc("last_pass_duration_seconds", "How long the last pass took.")
	descPeers     = desc("peers", "Subnets of peers by the path of packets to them.", "path")
	descProblems  = desc("problems", "Problems that weft works around and an operator should fix.")
	descStoreUp   = desc("store_up", "1 while the store is reachable.")
	descRequests  = desc("store_requests_total", "Requests made to the store, by Kubernetes' verb.", "verb")
	descRevision  = desc("store_revision", "Store revision of the plan.")
	descLeaseHeld = desc("lease_held", "1 while this host holds its lease.")
	descExpires   = desc("lease_expiry_timestamp_seconds", "Unix time at which the lease ends unless it is renewed; absent if never.")
	descDrops     = desc("guard_drops_total", "Packets to the tunnel's port that the guard has dropped, since they came from no peer's address; absent without a guard.")
	descEncrypted = desc("encrypted_peers", "Peers to which all packets travel encrypted, by what encrypts on this host (kernel, userSpace); absent without an encrypted tunnel.", "implementation")
	descRefused   = desc("strict_refused_total", "Packets from containers that were not sent, since they would have travelled in clear; absent unless the network is Strict.")
	descFast      = desc("fastpath_packets_total", "Packets between this host's pods and others' by path: fast, or the kernel's own for a reason (nat, tracked, policy, mtu, fragment, options, ttl, protocol, source, destination, tunnel, other); absent without a fast path.", "path")
	descDesired   = desc("generation", "Number of the desired state.")
	descApplied   = desc("applied_generation", "Number of the desired state that the last pass went by.")
)

// Describe lists all that Collect may send.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descInfo, descReady, descDegraded, descPasses, descOps, descRepairs, descDrift, descFailures, descRows, descFailed, descPass, descPassTook,
		descPeers, descProblems, descStoreUp, descRequests, descRevision, descLeaseHeld,
		descExpires, descDrops, descEncrypted, descRefused, descFast, descDesired, descApplied,
	} {
		ch <- d
	}
	for _, d := range pathDescs {
		ch <- d
	}
}

// Collect sends the present numbers.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	s := m.agent.Status()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(descInfo, 1, s.Version, s.Backend, s.Store.Kind)
	gauge(descReady, truth(m.agent.Ready() == nil))
	gauge(descDegraded, truth(s.State == StateDegraded))
	count(descPasses, s.Counts.Passes)
	count(descFailures, s.Counts.Failures)
	labelled := func(d *prometheus.Desc, counts map[string]int) {
		for label, n := range counts {
			verb, kind, _ := strings.Cut(label, " ") // as OpLabel and DriftLabel made it
			count(d, n, kind, verb)
		}
	}
	labelled(descOps, s.Counts.Ops)
	labelled(descRepairs, s.Counts.Repairs)
	labelled(descDrift, s.Counts.Drift)
	gauge(descRows, float64(s.Pass.Rows))
	gauge(descFailed, float64(s.Pass.Failed))
	if !s.Pass.At.IsZero() {
		gauge(descPass, float64(s.Pass.At.UnixNano())/1e9)
		gauge(descPassTook, s.Pass.Took.Seconds())
	}
	for path, n := range countPaths(s.Peers) {
		gauge(descPeers, float64(n), path)
	}
	sumPaths(s.Peers).collect(ch)
	gauge(descProblems, float64(len(s.Problems)))
	gauge(descStoreUp, truth(s.Store.Up))
	for verb, n := range s.Store.Requests {
		count(descRequests, n, verb)
	}
	gauge(descRevision, float64(s.Revision))
	gauge(descLeaseHeld, truth(s.Lease.Held))
	if !s.Lease.Expires.IsZero() {
		gauge(descExpires, float64(s.Lease.Expires.Unix()))
	}
	if f := s.FastPath; f != nil {
		ch <- prometheus.MustNewConstMetric(descFast, prometheus.CounterValue, float64(f.Fast), "fast")
		for reason, n := range f.Slow {
			ch <- prometheus.MustNewConstMetric(descFast, prometheus.CounterValue, float64(n), reason)
		}
	}
	if e := s.Encryption; e != nil {
		gauge(descEncrypted, float64(e.Encrypted), string(e.By))
		if e.Refused != nil {
			ch <- prometheus.MustNewConstMetric(descRefused, prometheus.CounterValue, float64(*e.Refused))
		}
	}
	if s.GuardDrops != nil {
		ch <- prometheus.MustNewConstMetric(descDrops, prometheus.CounterValue, float64(*s.GuardDrops))
	}
	gauge(descDesired, float64(s.Generation))
	gauge(descApplied, float64(s.Pass.Generation))
}

// countPaths counts the subnets of peers by path. The usual kinds are always
// present, so that a graph shows zero instead of a gap.
func countPaths(peers []Peer) map[string]int {
	n := map[string]int{"direct": 0, "vxlan": 0, "none": 0}
	for _, p := range peers {
		for _, path := range p.Paths {
			n[path.Kind]++
		}
	}
	return n
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
