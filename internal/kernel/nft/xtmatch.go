package nft

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/weft-net/weft/internal/host"
)

// iptables-nft keeps most of its matches in the form that x_tables has for
// them (linux/netfilter/xt_*.h). Fields are in the host's byte order.

// xtMatch takes up a match of iptables.
func (m *matchReader) xtMatch(e *expression) {
	o, ok := host.Match{}, false
	switch v := e.info; {
	case e.target == "comment":
		ok = true
	case e.target == "tcp" && len(v) >= 12:
		// The flags and options of TCP must not be asked for.
		o, ok = xtPorts(v), v[8] == 0 && v[9] == 0 && v[11] == 0 && anySource(v)
	case e.target == "udp" && len(v) >= 9:
		o, ok = xtPorts(v), v[8] == 0 && anySource(v)
	case e.target == "multiport" && e.revision == 1:
		o, ok = xtMultiport(v)
	case e.target == "conntrack" && e.revision == 3:
		o, ok = xtConntrack(v)
	case e.target == "rpfilter" && len(v) > 0 && v[0]&rpfilterInvert != 0:
		o.Unrouted, o.Never, ok = true, v[0]&rpfilterLoose != 0, true // to a loose one any route back will do
	case e.target == "addrtype" && e.revision == 1 && len(v) >= 8:
		o.Local = xtToLocal(v)
		ok = o.Local
	case e.target == "state" && len(v) >= 4:
		o.States = host.State(binary.NativeEndian.Uint32(v))
		ok = o.States != 0
	}
	if !ok {
		o = host.Match{Opaque: true}
	}
	m.and(o)
}

// xtComment returns the comment that is a match of iptables', and the list without it; "" if there is none. A rule of
// weft's has it in that form once a program saved iptables' rules and restored them.
func xtComment(list []expression) (string, []expression) {
	i := slices.IndexFunc(list, func(e expression) bool { return e.name == "match" && e.target == "comment" })
	if i < 0 {
		return "", list
	}
	text, _, _ := bytes.Cut(list[i].info, []byte{0})
	return string(text), slices.Delete(list, i, i+1)
}

// Flags of linux/netfilter/xt_rpfilter.h.
const (
	rpfilterLoose  = 1 << 0
	rpfilterInvert = 1 << 3
)

// xtToLocal reports whether xt_addrtype_info_v1 (types of the source, of the
// destination, flags) asks for a destination that is this host's, and nothing else.
func xtToLocal(v []byte) bool {
	const local = 1 << 2 // XT_ADDRTYPE_LOCAL
	source, destination, flags := binary.NativeEndian.Uint16(v), binary.NativeEndian.Uint16(v[2:]), binary.NativeEndian.Uint32(v[4:])
	return source == 0 && destination == local && flags == 0
}

func xtPorts(v []byte) host.Match {
	r := host.PortRange{First: binary.NativeEndian.Uint16(v[4:]), Last: binary.NativeEndian.Uint16(v[6:])}
	if r == (host.PortRange{Last: 0xffff}) {
		return host.Match{}
	}
	return host.Match{Ports: []host.PortRange{r}}
}

func anySource(v []byte) bool {
	return binary.NativeEndian.Uint16(v) == 0 && binary.NativeEndian.Uint16(v[2:]) == 0xffff
}

// xtMultiport reads xt_multiport_v1: flags, count, 15 ports, 15 flags of which
// one makes a port the first of a range, inversion.
func xtMultiport(v []byte) (o host.Match, ok bool) {
	const most, destination = 15, 1
	if len(v) < 2+3*most+1 || v[0] != destination || v[1] == 0 || v[1] > most || v[2+3*most] != 0 {
		return o, false
	}
	for i := 0; i < int(v[1]); i++ {
		port := func(i int) uint16 { return binary.NativeEndian.Uint16(v[2+2*i:]) }
		r := host.PortRange{First: port(i), Last: port(i)}
		if v[2+2*most+i] != 0 && i+1 < int(v[1]) {
			i++
			r.Last = port(i)
		}
		o.Ports = append(o.Ports, r)
	}
	return o, true
}

// Offsets and bits of xt_conntrack_mtinfo3.
const (
	conntrackFlags  = 146
	conntrackInvert = 148
	conntrackStates = 150
	conntrackState  = 1 << 0
)

// xtConntrack reads the match of a connection's state. The states of a
// translated address (SNAT, DNAT) may come beside any other.
func xtConntrack(v []byte) (o host.Match, ok bool) {
	if len(v) < conntrackStates+2 {
		return o, false
	}
	flags, inverted := binary.NativeEndian.Uint16(v[conntrackFlags:]), binary.NativeEndian.Uint16(v[conntrackInvert:])
	states := host.State(binary.NativeEndian.Uint16(v[conntrackStates:]))
	o.Opaque = flags != conntrackState
	switch {
	case flags&conntrackState == 0:
	case inverted&conntrackState != 0:
		o.Opaque = o.Opaque || states&^xtStates != 0
		o.States = fromXT(xtStates &^ states)
	case states&^xtStates == 0:
		o.States = fromXT(states)
	default:
		o.Opaque = true
	}
	return o, o.States != 0 || o.Opaque
}

// xtUntracked is the one state that x_tables has another number for.
const (
	xtUntracked host.State = 1 << 8
	xtStates               = anyState&^host.Untracked | xtUntracked
)

func fromXT(s host.State) host.State {
	if s&xtUntracked != 0 {
		s = s&^xtUntracked | host.Untracked
	}
	return s
}
