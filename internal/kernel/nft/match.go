package nft

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/host"
)

// branch is what a rule does with packets of which when is true: it stops
// them, accepts them or leads them to a chain. All else does not matter here.
type branch struct {
	when    host.Match
	stops   string
	accepts bool
	chain   string
	effect  bool // stops names what the rule does instead of stopping packets
}

// matchReader reads what a rule requires of packets. What it does not
// understand makes the match opaque, so that it never claims more than the
// rule requires.
type matchReader struct {
	set    func(name string) ([]element, error)
	family uint8 // of the packets; NFPROTO_INET or NFPROTO_NETDEV: unknown
	load   *expression
	fresh  bool // nothing was compared with what was loaded last
	joined bool // several loads are compared at once
	mask   []byte
	when   host.Match
	out    []branch

	effects bool // these are asked for, too
}

// read returns the branches of a rule; none if it does nothing that matters.
func (s *ruleset) read(r rule, effects bool) ([]branch, error) {
	m := matchReader{set: s.set, family: r.family, effects: effects}
	for i := range r.list {
		if err := m.take(&r.list[i]); err != nil {
			return nil, err
		}
	}
	return m.out, nil
}

func (m *matchReader) take(e *expression) error {
	if what := e.effect(); m.effects && what != "" {
		m.out = append(m.out, branch{when: m.when, stops: what, effect: true})
		return nil
	}
	switch e.name {
	case "meta", "payload", "ct", "fib":
		m.loads(e)
	case "bitwise":
		m.mask = e.mask
		if e.odd || m.load == nil || !isZero(e.xor) {
			m.load = nil
		}
	case "cmp":
		m.fresh = false
		m.compare(e)
	case "range":
		m.fresh = false
		m.inRange(e)
	case "lookup":
		m.fresh = false
		return m.lookup(e)
	case "match":
		m.xtMatch(e)
	case "counter", "log", "notrack", "masq", "nat", "redir":
	default:
		m.verdict(e)
	}
	return nil
}

func (m *matchReader) loads(e *expression) {
	if e.odd && (e.name != "ct" || e.key == 0) {
		return // it writes
	}
	m.joined = m.fresh
	m.load, m.mask, m.fresh = e, nil, true
	if e.odd || e.original {
		m.load = nil // a property of one direction of a connection
	}
}

func (m *matchReader) verdict(e *expression) {
	how, stops := rule{list: []expression{*e}}.isStop()
	b := branch{when: m.when, stops: how}
	switch {
	case stops:
	case e.name == "immediate" && !e.odd && e.code == verdictAccept, e.name == "target" && e.target == "ACCEPT":
		b.accepts = true
	case e.name == "immediate" && !e.odd && (e.code == verdictJump || e.code == verdictGoto):
		b.chain = e.chain
	case e.name == "immediate", e.name == "target":
		return
	default:
		m.load, m.when.Opaque = nil, true // it may have loaded something
		return
	}
	m.out = append(m.out, b)
}

func (m *matchReader) and(o host.Match) { m.when = m.when.And(o) }

// compare takes up a comparison of what was loaded with a value.
func (m *matchReader) compare(e *expression) {
	is, not := e.op == unix.NFT_CMP_EQ, e.op == unix.NFT_CMP_NEQ
	if m.load == nil || m.joined {
		m.when.Opaque = true
		return
	}
	if side, size := m.side(); side != nil && (is || not) {
		reader := bodyReader{load: m.load, mask: m.mask}
		if p, ok := reader.prefix(e.value, uint32(size)); ok {
			m.addrs(side, []netip.Prefix{p}, not)
			return
		}
	}
	if bits, ok := m.states(e, is, not); ok {
		m.and(host.Match{States: bits})
		return
	}
	if first, last, ok := bounds(e); ok && m.isPort() {
		m.and(host.Match{Ports: []host.PortRange{{First: first, Last: last}}})
		return
	}
	if !is || !m.key(e.value) {
		m.when.Opaque = true
	}
}

// bounds returns the numbers that a comparison of two bytes is true of.
func bounds(e *expression) (first, last uint16, ok bool) {
	if len(e.value) != 2 {
		return 0, 0, false
	}
	switch v := portOf(e.value); e.op {
	case unix.NFT_CMP_EQ:
		return v, v, true
	case unix.NFT_CMP_GTE:
		return v, 0xffff, true
	case unix.NFT_CMP_LTE:
		return 0, v, true
	}
	return 0, 0, false
}

func portOf(v []byte) uint16 { return binary.BigEndian.Uint16(v) }

func (m *matchReader) inRange(e *expression) {
	if e.op == unix.NFT_RANGE_EQ && m.isPort() && !m.joined && len(e.value) == 2 && len(e.to) == 2 {
		m.and(host.Match{Ports: []host.PortRange{{First: portOf(e.value), Last: portOf(e.to)}}})
		return
	}
	m.when.Opaque = true
}

// key takes up that what was loaded has a value; false if that says nothing
// here.
func (m *matchReader) key(v []byte) bool {
	var o host.Match
	switch {
	case m.load.name == "fib" && m.mask == nil:
		how := m.load.flags &^ (unix.NFTA_FIB_F_MARK | unix.NFTA_FIB_F_PRESENT)
		o.Unrouted = m.load.result == unix.NFT_FIB_RESULT_OIF && how == unix.NFTA_FIB_F_SADDR|unix.NFTA_FIB_F_IIF && isZero(v)
		o.Never = m.load.result == unix.NFT_FIB_RESULT_OIF && how == unix.NFTA_FIB_F_SADDR && isZero(v) // packets of the network have a way back
		o.Local = m.load.result == unix.NFT_FIB_RESULT_ADDRTYPE && how == unix.NFTA_FIB_F_DADDR && isLocal(v)
		m.and(o)
		return o.Unrouted || o.Local || o.Never
	case m.load.name != "meta" || m.mask != nil || len(v) == 0:
		return false
	case m.load.key == unix.NFT_META_NFPROTO:
		m.family, o.Family = v[0], familyName(v[0])
	case m.load.key == unix.NFT_META_PROTOCOL && len(v) == 2:
		m.family = etherFamilies[portOf(v)]
		o.Family, o.Never = familyName(m.family), m.family == 0
	case m.load.key == unix.NFT_META_L4PROTO:
		o.Protos = []uint8{v[0]}
	case m.load.key == unix.NFT_META_IIFNAME:
		o.In = []string{nameOf(v)}
	case m.load.key == unix.NFT_META_OIFNAME:
		o.Out = []string{nameOf(v)}
	default:
		return false
	}
	m.and(o)
	return true
}

// isLocal reports whether v is the type of this host's own addresses.
func isLocal(v []byte) bool { return len(v) == 4 && binary.NativeEndian.Uint32(v) == unix.RTN_LOCAL }

func isZero(v []byte) bool { return !slices.ContainsFunc(v, func(b byte) bool { return b != 0 }) }

var etherFamilies = map[uint16]uint8{unix.ETH_P_IP: unix.NFPROTO_IPV4, unix.ETH_P_IPV6: unix.NFPROTO_IPV6}

// nameOf reads the name of an interface, of which the kernel compares all
// bytes, or those ahead of a "*" alone.
func nameOf(v []byte) string {
	if name, _, whole := strings.Cut(string(v), "\x00"); whole {
		return name
	}
	return string(v) + "*"
}

// states returns the states of a connection that a comparison with a mask of
// them allows.
func (m *matchReader) states(e *expression, is, not bool) (host.State, bool) {
	if m.load.name != "ct" || m.load.key != unix.NFT_CT_STATE || len(e.value) != 4 {
		return 0, false
	}
	value := host.State(binary.NativeEndian.Uint32(e.value))
	switch {
	case m.mask == nil && is:
		return value, value != 0
	case len(m.mask) != 4 || value != 0:
		return 0, false
	}
	mask := host.State(binary.NativeEndian.Uint32(m.mask))
	if is {
		mask = anyState &^ mask
	}
	return mask, (is || not) && mask != 0
}

const anyState = host.Invalid | host.Established | host.Related | host.New | host.Untracked

// side returns which addresses were loaded, and their size; nil if none.
func (m *matchReader) side() (addrs *host.Addrs, size int) {
	if m.load.name != "payload" || m.load.base != unix.NFT_PAYLOAD_NETWORK_HEADER {
		return nil, 0
	}
	switch at := m.load.offset; {
	case m.family == unix.NFPROTO_IPV4 && at == srcV4:
		return &m.when.Src, 4
	case m.family == unix.NFPROTO_IPV4 && at == dstV4:
		return &m.when.Dst, 4
	case m.family == unix.NFPROTO_IPV6 && at == srcV6:
		return &m.when.Src, 16
	case m.family == unix.NFPROTO_IPV6 && at == dstV6:
		return &m.when.Dst, 16
	}
	return nil, 0
}

// addrs takes up that a side's address is one of list, or none of it.
func (m *matchReader) addrs(side *host.Addrs, list []netip.Prefix, not bool) {
	o := host.Addrs{In: list}
	if not {
		o = host.Addrs{Not: list}
	}
	if side == &m.when.Src {
		m.and(host.Match{Src: o})
	} else {
		m.and(host.Match{Dst: o})
	}
}

func (m *matchReader) isPort() bool {
	return m.load != nil && m.load.name == "payload" && m.load.base == unix.NFT_PAYLOAD_TRANSPORT_HEADER &&
		m.load.offset == udpDport && m.load.size == 2 && m.mask == nil
}
