package host

import (
	"net/netip"
	"slices"
	"strings"
)

// Rule is a rule of a Barrier that accepts or stops packets. Rules of the
// chains that a Barrier leads to are among its own.
type Rule struct {
	Stops string // how it stops packets, and where: "drop in chain INPUT"; "": it accepts them
	When  Match
}

// Match is what is known to be required of a packet for a rule to apply to it.
// The zero Match requires nothing.
type Match struct {
	Family  string // "ip" or "ip6"; "": either
	Src     Addrs
	Dst     Addrs
	Protos  []uint8     // IP protocol numbers; nil: any
	Ports   []PortRange // destination ports; nil: any
	States  State       // of the connection, one of them; 0: any
	In, Out []string    // interface names, a trailing "*" matches any ending; nil: any
	// The packet has no return route by the interface that it arrived by. Packets
	// of the network have one, but for those of hosts that send directly while this
	// one sends by the tunnel, or the other way round.
	Unrouted bool
	Local    bool // the packet is for an address of this host itself, so it is not forwarded
	Opaque   bool // there are more conditions than those here
	Never    bool // no packet fits
}

// Addrs are the addresses that one side of a packet may have.
type Addrs struct {
	In  []netip.Prefix // one of these; nil: any; empty: none
	Not []netip.Prefix // none of these
}

// PortRange is a range of ports with both its ends.
type PortRange struct{ First, Last uint16 }

// State is a set of states that a packet's connection may be in.
type State uint32

// The numbers are the kernel's.
const (
	Invalid     State = 1 << 0
	Established State = 1 << 1
	Related     State = 1 << 2
	New         State = 1 << 3
	Untracked   State = 1 << 6
)

const protoUDP = 17

// And returns what is required where both m and o are.
func (m Match) And(o Match) Match {
	m.Never = m.Never || o.Never || m.Family != "" && o.Family != "" && m.Family != o.Family ||
		m.States != 0 && o.States != 0 && m.States&o.States == 0
	if m.Family == "" {
		m.Family = o.Family
	}
	switch {
	case m.States == 0:
		m.States = o.States
	case o.States != 0:
		m.States &= o.States
	}
	if tooMany(m.Src, o.Src) || tooMany(m.Dst, o.Dst) {
		m.Opaque = true // those of m alone match more packets
	} else {
		m.Src, m.Dst = m.Src.and(o.Src), m.Dst.and(o.Dst)
	}
	m.Protos = common(m.Protos, o.Protos, func(a, b uint8) (uint8, bool) { return a, a == b })
	m.Ports = common(m.Ports, o.Ports, func(a, b PortRange) (PortRange, bool) {
		r := PortRange{max(a.First, b.First), min(a.Last, b.Last)}
		return r, r.First <= r.Last
	})
	m.In, m.Out = common(m.In, o.In, narrower), common(m.Out, o.Out, narrower)
	m.Unrouted, m.Local, m.Opaque = m.Unrouted || o.Unrouted, m.Local || o.Local, m.Opaque || o.Opaque
	return m
}

// maxPairs limits the work of combining two lists of addresses, such as a rule
// for each banned address in a chain that is only for members of a set.
const maxPairs = 1 << 20

func tooMany(a, b Addrs) bool { return len(a.In)*len(b.In) > maxPairs }

// common returns the pairs that two lists of alternatives have in common; nil
// stands for all there is.
func common[T any](a, b []T, meet func(T, T) (T, bool)) []T {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	out := []T{}
	for _, x := range a {
		for _, y := range b {
			if z, ok := meet(x, y); ok {
				out = append(out, z)
			}
		}
	}
	return out
}

func (a Addrs) and(b Addrs) Addrs {
	return Addrs{
		In: common(a.In, b.In, func(x, y netip.Prefix) (netip.Prefix, bool) {
			if x.Bits() < y.Bits() {
				x, y = y, x
			}
			return x, x.Overlaps(y)
		}),
		Not: append(slices.Clip(a.Not), b.Not...),
	}
}

// narrower returns the narrower one of two patterns that have names in common.
func narrower(a, b string) (string, bool) {
	if Named(a, b) {
		return b, true
	}
	return a, Named(b, a)
}

// Named reports whether an interface, or all that another pattern stands for,
// has a name of a pattern.
func Named(pattern, name string) bool {
	start, open := strings.CutSuffix(pattern, "*")
	return pattern == name || open && strings.HasPrefix(name, start)
}

// Traffic is a kind of packets that must not be stopped.
type Traffic struct {
	Family  string         // "ip" or "ip6"
	Src     []netip.Prefix // of its sources; empty: unknown
	Dst     []netip.Prefix // of its destinations; empty: unknown
	OpenSrc bool           // there are other sources, too; rules that name sources elsewhere are considered bans
	OpenDst bool           // likewise destinations
	UDPPort uint16         // destination port of tunnelled packets
	Proto   uint8          // of tunnelled packets without a port; with UDPPort 0: packets of any protocol
	In, Out string         // the interface that it comes by, or leaves by; "": unknown
	Never   []string       // interfaces that it neither comes nor leaves by
	Astray  bool           // its return route may lead by another interface
}

// Fits reports whether m can be true of a packet of t.
func (m Match) Fits(t Traffic) bool {
	switch {
	case m.Never, m.Unrouted && !t.Astray, m.Family != "" && m.Family != t.Family, m.States == Invalid:
		return false
	case m.Local && (!t.tunnelled() || t.Out != ""): // packets between containers, or to a peer
		return false
	case t.tunnelled() && !m.fitsTunnel(t):
		return false
	case !t.tunnelled() && m.hairpin():
		return false
	}
	return m.Src.fits(t.Src, t.OpenSrc, m.Ports != nil) && m.Dst.fits(t.Dst, t.OpenDst, m.Ports != nil) &&
		fitsName(m.In, t.In, t.Never) && fitsName(m.Out, t.Out, t.Never)
}

// tunnelled reports whether t is what carries packets of the network.
func (t Traffic) tunnelled() bool { return t.UDPPort != 0 || t.Proto != 0 }

func (m Match) fitsTunnel(t Traffic) bool {
	if t.Proto != 0 {
		return m.Ports == nil && (m.Protos == nil || slices.Contains(m.Protos, t.Proto))
	}
	port := t.UDPPort
	return (m.Protos == nil || slices.Contains(m.Protos, protoUDP)) &&
		(m.Ports == nil || slices.ContainsFunc(m.Ports, func(r PortRange) bool { return r.First <= port && port <= r.Last }))
}

// hairpin reports whether packets must leave by the interface that they came
// by, as those between containers of one bridge do.
func (m Match) hairpin() bool {
	return len(m.In) == 1 && len(m.Out) == 1 && m.In[0] == m.Out[0] && !strings.HasSuffix(m.In[0], "*")
}

// fits reports whether an address can be one of have. If have is open, there
// are others: exceptions do not exclude them, and a rule for a certain port is
// not a ban. A loopback address is in no packet of the network.
func (a Addrs) fits(have []netip.Prefix, open, port bool) bool {
	switch {
	case a.In != nil && !slices.ContainsFunc(a.In, func(p netip.Prefix) bool { return p.Bits() == 0 || !p.Addr().IsLoopback() }):
		return false
	case len(have) == 0, open && port:
		return true
	}
	return slices.ContainsFunc(have, func(p netip.Prefix) bool {
		in := a.In == nil || slices.ContainsFunc(a.In, p.Overlaps)
		out := !open && slices.ContainsFunc(a.Not, func(n netip.Prefix) bool { return holds(n, p) })
		return in && !out
	})
}

func holds(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Overlaps(inner)
}

func fitsName(patterns []string, name string, never []string) bool {
	return patterns == nil || slices.ContainsFunc(patterns, func(p string) bool {
		if name != "" {
			return Named(p, name)
		}
		return p != "lo" && !slices.Contains(never, p)
	})
}

// passes reports whether a rule that accepts what m tells lets the packets of
// t through. The rule for one direction is enough of a sign that its author
// thought of both.
func (m Match) passes(t Traffic) bool {
	switch {
	case m.Opaque, !m.Fits(t), m.States != 0 && m.States&New == 0:
		return false
	case t.tunnelled():
		return true // from some address at least
	}
	return m.Protos == nil && m.Ports == nil && m.Src.hold(t.Src) && m.Dst.hold(t.Dst)
}

// hold reports whether one of the prefixes is among the addresses as a whole.
func (a Addrs) hold(have []netip.Prefix) bool {
	return a.In == nil && a.Not == nil || slices.ContainsFunc(have, func(p netip.Prefix) bool {
		return (a.In == nil || slices.ContainsFunc(a.In, func(in netip.Prefix) bool { return holds(in, p) })) &&
			!slices.ContainsFunc(a.Not, p.Overlaps)
	})
}

// Stops returns how b can stop packets of t, "" if it cannot. What is accepted
// ahead of the rule that stops the rest is not stopped; in a chain with a
// Manager only rules that stop packets are known.
func (b Barrier) Stops(t Traffic) string {
	for _, r := range b.Rules {
		switch {
		case r.Stops == "" && r.When.passes(t):
			return ""
		case r.Stops != "" && r.When.Fits(t):
			return r.Stops
		}
	}
	return ""
}
