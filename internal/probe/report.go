package probe

import (
	"net/netip"
	"time"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
)

// Report is what is known of a path, for people.
type Report struct {
	Target   Target
	Verdict  plan.Verdict
	Since    time.Time     // of the verdict; zero: nothing was measured
	Answered time.Time     // last; zero: never
	Loss     float64       // share of small packets without an answer in the last minutes, from 0 to 1
	RTT      time.Duration // smoothed; 0: never answered
	MTU      int           // bytes: the largest packet that passes; 0: the full size, or nothing is known
}

// Targets returns how the peer is probed whose host has the address dest, from
// this host's address source.
func (e *Engine) Targets(dest, source netip.Addr) (out []Target) {
	if e.view.Input == nil {
		return nil
	}
	for _, r := range e.view.Input.Net.Ranges {
		if r.Family() != netconf.FamilyOf(dest) {
			continue
		}
		p := e.pairs[netip.PrefixFrom(dest, r.SubnetLen).Masked()]
		if p == nil {
			continue
		}
		for _, one := range p.paths {
			if one.target.Dest == dest && one.target.Source == source {
				out = append(out, one.target)
			}
		}
	}
	return out
}

// Report returns what is known of the paths to a peer's subnet, the preferred
// one first.
func (e *Engine) Report(subnet netip.Prefix) []Report {
	p := e.pairs[subnet]
	if p == nil {
		return nil
	}
	out := make([]Report, 0, len(p.paths))
	for _, one := range p.paths {
		r := Report{
			Target: one.target, Verdict: one.verdict, Loss: one.loss(), RTT: one.rtt(), MTU: int(one.mtu),
		}
		if one.verdict != plan.Unmeasured {
			r.Since = e.start.Add(one.since)
		}
		if one.last > 0 {
			r.Answered = e.start.Add(one.last)
		}
		out = append(out, r)
	}
	return out
}
