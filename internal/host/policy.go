package host

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/netconf"
)

// Tables that every host has, of linux/rtnetlink.h.
const (
	DefaultTable = 253
	MainTable    = 254
	LocalTable   = 255
)

// PolicyRule is a rule of the routing policy database (ip-rule(8)): packets that
// its selectors fit are routed by a table, if that has a route for them.
type PolicyRule struct {
	Family     netconf.Family
	Priority   uint32       // the lowest goes first
	Not        bool         // it fits the packets that its selectors do not fit
	Src, Dst   netip.Prefix // invalid: any
	In, Out    string       // devices; "": any. What this host sends itself comes in by lo
	Mark, Mask uint32       // of the packet's firewall mark
	Special    bool         // asks for a TOS, a tunnel id or another user than root: not what a network's packets have
	Proto      uint8        // IPPROTO_*; 0: any
	Ports      bool         // asks for ports
	VRF        bool         // the table is that of the VRF of the packet's device (l3mdev)
	Action     PolicyAction
	Table      uint32
	Target     uint32 // priority of the rule that Goto goes on with
	Suppress   int    // routes to prefixes up to this length are passed over; -1: none
}

// PolicyAction is what a rule does with packets that it fits.
type PolicyAction uint8

// The actions.
const (
	Lookup PolicyAction = iota
	Goto
	Pass   // nop
	Refuse // unreachable, prohibit, blackhole
)

// String returns the rule as ip-rule(8) lists it.
func (r PolicyRule) String() string {
	var w []string
	say := func(is bool, format string, args ...any) {
		if is {
			w = append(w, fmt.Sprintf(format, args...))
		}
	}
	from := "all"
	if r.Src.IsValid() {
		from = show(r.Src)
	}
	say(true, "%d:", r.Priority)
	say(r.Not, "not")
	say(true, "from %s", from)
	say(r.Dst.IsValid(), "to %s", show(r.Dst))
	say(r.Mask == ^uint32(0), "fwmark %#x", r.Mark)
	say(r.Mask != 0 && r.Mask != ^uint32(0), "fwmark %#x/%#x", r.Mark, r.Mask)
	say(r.Proto != 0, "ipproto %d", r.Proto)
	say(r.In != "", "iif %s", r.In)
	say(r.Out != "", "oif %s", r.Out)
	switch {
	case r.Action == Goto:
		say(true, "goto %d", r.Target)
	case r.Action == Refuse:
		say(true, "unreachable")
	case r.VRF:
		say(true, "lookup [l3mdev-table]")
	case r.Action == Lookup:
		say(true, "lookup %s", TableName(r.Table))
	}
	say(r.Suppress >= 0, "suppress_prefixlength %d", r.Suppress)
	return strings.Join(w, " ")
}

// show leaves out the length of a whole address.
func show(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// TableName returns what ip(8) calls a routing table.
func TableName(table uint32) string {
	switch table {
	case DefaultTable:
		return "default"
	case MainTable:
		return "main"
	case LocalTable:
		return "local"
	}
	return fmt.Sprint(table)
}

// flow is packets that are routed alike, whatever their destinations.
type flow struct {
	family netconf.Family
	src    netip.Prefix // where all of them come from; invalid: no address yet, the kernel takes the route's
	in     string       // "lo": this host sends them
	out    []string     // the device that the sender has asked for, and its VRF
	vrf    uint32       // the table of the VRF that they are in; 0: none
	proto  uint8        // of all of them, IPPROTO_*; 0: any
}

// fits reports whether r fits some of the packets, and whether it fits all of
// them, to destinations that it asks for.
func (r *PolicyRule) fits(f flow) (some, all bool) {
	some, all = r.selects(f)
	if r.Not {
		return !all, !some
	}
	return some, all
}

// selects reports whether the selectors fit some of the packets, and whether
// they fit all of them, destinations aside.
func (r *PolicyRule) selects(f flow) (some, all bool) {
	some = r.Mark&r.Mask == 0 && !r.Special
	some = some && (r.In == "" || r.In == f.in)
	some = some && (r.Out == "" || slices.Contains(f.out, r.Out))
	some = some && (!r.VRF || f.vrf != 0)
	some = some && (r.Proto == 0 || f.proto == 0 || r.Proto == f.proto)
	all = some && !r.Ports && (r.Proto == 0 || r.Proto == f.proto)
	if r.Src.IsValid() && r.Src.Bits() > 0 {
		some = some && f.src.IsValid() && r.Src.Overlaps(f.src)
		all = all && f.src.IsValid() && within(r.Src, f.src)
	}
	return some, all
}

// applies returns the part of dst where r fits some of the packets, and whether
// it fits all of them there.
func (r *PolicyRule) applies(f flow, dst []netip.Prefix) (part []netip.Prefix, all bool) {
	some, all := r.fits(f)
	wanted := r.Dst.IsValid() && r.Dst.Bits() > 0
	switch {
	case r.Not && wanted && !some: // and what goes elsewhere
		return without(dst, r.Dst), true
	case r.Not && wanted:
		return dst, all
	case !some:
		return nil, false
	case wanted:
		return shared(dst, []netip.Prefix{r.Dst}), all
	}
	return dst, all
}
