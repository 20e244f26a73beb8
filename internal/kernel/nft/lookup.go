package nft

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/host"
)

// lookup takes up that what was loaded is in a set, or leads where a map of
// verdicts has it.
func (m *matchReader) lookup(e *expression) error {
	if e.odd && !e.verdicts {
		m.load, m.when.Opaque = nil, true // a map of values
		return nil
	}
	list, err := m.set(e.set)
	if err != nil {
		return err
	}
	not := e.flags&invertedLookup != 0
	if e.verdicts {
		m.verdicts(list)
		return nil
	}
	m.members(list, not)
	return nil
}

// members takes up that what was loaded is a member of a set, or is none.
func (m *matchReader) members(list []element, not bool) {
	if len(list) == 0 && !not {
		m.when.Never = true
		return
	}
	if m.load == nil || m.joined || m.mask != nil {
		m.when.Opaque = true
		return
	}
	if side, size := m.side(); side != nil && m.load.size == uint32(size) {
		if addrs, ok := addresses(list, size); ok {
			m.addrs(side, addrs, not)
			return
		}
	}
	o, ok := m.alternatives(list)
	if not || !ok {
		m.when.Opaque = true
		return
	}
	m.and(o)
}

func addresses(list []element, size int) (out []netip.Prefix, ok bool) {
	for _, v := range intervals(list) {
		some, ok := v.prefixes(size)
		if !ok {
			return nil, false
		}
		out = append(out, some...)
	}
	return out, out != nil
}

// alternatives returns that what was loaded is one of several values.
func (m *matchReader) alternatives(list []element) (o host.Match, ok bool) {
	for _, v := range intervals(list) {
		one := *m
		one.when = host.Match{}
		ports, isPorts := v.ports()
		switch {
		case m.isPort() && isPorts:
			o.Ports = append(o.Ports, ports)
		case v.open || v.behind != nil:
			return o, false
		case one.key(v.from) && one.when.Family == "":
			o.Protos = append(o.Protos, one.when.Protos...)
			o.In = append(o.In, one.when.In...)
			o.Out = append(o.Out, one.when.Out...)
		default:
			return o, false
		}
	}
	return o, true
}

// verdicts adds a branch for each element of a map of verdicts. The rule goes
// on for what is not in the map.
func (m *matchReader) verdicts(list []element) {
	for _, v := range intervals(list) {
		one := *m
		one.out = nil
		one.value(v)
		one.verdict(&expression{name: "immediate", code: v.code, chain: v.chain})
		m.out = append(m.out, one.out...)
	}
	for _, e := range list {
		if e.key == nil {
			one := *m
			one.out, one.when.Opaque = nil, true
			one.verdict(&expression{name: "immediate", code: e.code, chain: e.chain})
			m.out = append(m.out, one.out...)
		}
	}
}

// value takes up that what was loaded lies in an interval.
func (m *matchReader) value(v interval) {
	single := v.behind == nil && !v.open
	switch {
	case m.load == nil || m.joined || m.mask != nil || v.open:
		m.when.Opaque = true
	case single && m.load.name == "ct" && m.load.key == unix.NFT_CT_STATE && len(v.from) == 4:
		m.and(host.Match{States: host.State(binary.NativeEndian.Uint32(v.from))})
	case single && m.key(v.from):
	case single:
		m.members([]element{v.element}, false)
	default:
		m.members([]element{v.element, {key: v.behind, end: true}}, false)
	}
}
