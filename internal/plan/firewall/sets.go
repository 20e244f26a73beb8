package firewall

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
)

// Sets hold what changes with peers, so that a new peer is one element.

var setTypes = map[netconf.Family]string{netconf.V4: netstate.TypeIPv4, netconf.V6: netstate.TypeIPv6}

// members makes the sets that rules refer to.
func (b *builder) members() {
	for _, r := range b.Net.Ranges {
		f := r.Family()
		if b.nodes() || b.guardsFamily(f) {
			b.set(setName(peersSet, f), f, false, b.peers(f))
		}
		if except := b.except(f); len(except) > 0 {
			b.set(setName(exceptSet, f), f, true, except)
		}
	}
}

func (b *builder) set(name string, f netconf.Family, interval bool, members []netip.Prefix) {
	b.fw.Sets = append(b.fw.Sets, netstate.Set{Table: b.table, Name: name, Type: setTypes[f], Interval: interval})
	b.fw.Elements = slices.Grow(b.fw.Elements, len(members))
	for _, m := range members {
		b.fw.Elements = append(b.fw.Elements, netstate.Element{Table: b.table, Set: name, Prefix: m})
	}
}

// Member returns the element by which a stands in a set for a peer that
// announces it; false if no rule asks for peers, or if a cannot be a host's.
// p.Peers does not matter.
func (p *Plan) Member(a netip.Addr) (netstate.Element, bool) {
	b, f := builder{Plan: p}, netconf.FamilyOf(a)
	_, served := p.Net.Range(f)
	if !served || p.Host.NoFirewall != "" || !isHost(a) || !b.nodes() && !b.guardsFamily(f) {
		return netstate.Element{}, false
	}
	return netstate.Element{Table: TableName(p.Net, p.Options), Set: setName(peersSet, f), Prefix: netip.PrefixFrom(a, a.BitLen())}, true
}

// isHost reports whether a can be the address of a host.
func isHost(a netip.Addr) bool { return !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() }

func (b *builder) nodes() bool { return b.Net.Masquerade.Nodes || b.Options.Nodes }

func (b *builder) guardsFamily(f netconf.Family) bool {
	return b.guarded() && slices.ContainsFunc(b.Tunnels, func(t Tunnel) bool { return t.Family == f && !t.Encrypted })
}

// peers returns the public addresses of family f that can be a host's.
func (b *builder) peers(f netconf.Family) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(b.Peers))
	for _, a := range b.Peers {
		if netconf.FamilyOf(a) == f && isHost(a) {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return out
}

// except returns the destinations of family f that see containers' own
// addresses; none holds another, as sets of intervals require.
func (b *builder) except(f netconf.Family) []netip.Prefix {
	all := slices.Concat(b.Net.Masquerade.Except, b.Options.Except)
	if b.nodes() {
		all = append(all, b.Host.Uplink.Connected...)
		all = append(all, b.Host.Uplink.OnLink...)
	}
	all = slices.DeleteFunc(all, func(p netip.Prefix) bool { return netconf.FamilyOf(p.Addr()) != f })
	slices.SortFunc(all, netip.Prefix.Compare)
	var out []netip.Prefix
	for _, p := range all {
		held := slices.ContainsFunc(all, func(o netip.Prefix) bool { return o.Bits() < p.Bits() && o.Overlaps(p) })
		if !held && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}
