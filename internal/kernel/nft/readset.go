package nft

import (
	"cmp"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
)

// key is one element as the kernel holds it: of an interval either its first
// address or the first behind it.
type key struct {
	addr netip.Addr
	end  bool
}

// elements lists the members of a set. While the kernel moves the members of a
// large one to a larger hash table (which it does behind the back of whoever
// added them) a list can lack some, and nothing says so. So it is read
// until two lists agree.
func (c *Conn) elements(s netstate.Set) ([]netstate.Element, error) {
	list, parts, err := c.list(s)
	for tries := 0; err == nil && parts > 1 && !s.Interval && tries < patience; tries++ {
		before := list
		if list, _, err = c.list(s); slices.Equal(before, list) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	out := make([]netstate.Element, len(list))
	for i, p := range list {
		out[i] = netstate.Element{Table: s.Table, Set: s.Name, Prefix: p}
	}
	return out, nil
}

// list lists the members of a set once, sorted. parts is the number of
// messages that it came in.
func (c *Conn) list(s netstate.Set) (members []netip.Prefix, parts int, err error) {
	var b rtnl.Batch
	message(&b, unix.NFT_MSG_GETSETELEM, unix.NLM_F_DUMP, unix.NFPROTO_INET)
	b.String(unix.NFTA_SET_ELEM_LIST_TABLE, s.Table)
	b.String(unix.NFTA_SET_ELEM_LIST_SET, s.Name)
	var keys []key
	for m, err := range c.conn.Dump(&b) {
		if err != nil {
			return nil, 0, err
		}
		parts++
		_, attrs, _ := m.Header(nfgenSize)
		for a := range attrs.All() {
			if a.Type == unix.NFTA_SET_ELEM_LIST_ELEMENTS {
				keys = decodeKeys(keys, a.Attrs())
			}
		}
	}
	members = prefixes(keys, s.Interval)
	slices.SortFunc(members, netip.Prefix.Compare)
	return slices.Compact(members), parts, nil
}

func decodeKeys(keys []key, list rtnl.Attrs) []key {
	for e := range list.All() {
		var k key
		for a := range e.Attrs().All() {
			switch a.Type {
			case unix.NFTA_SET_ELEM_FLAGS:
				k.end = a.Uint32BE()&unix.NFT_SET_ELEM_INTERVAL_END != 0
			case unix.NFTA_SET_ELEM_KEY:
				inner := a.Attrs()
				if v, ok := inner.Next(); ok {
					k.addr = v.Addr()
				}
			}
		}
		if k.addr.IsValid() {
			keys = append(keys, k)
		}
	}
	return keys
}

// prefixes puts keys together.
func prefixes(keys []key, interval bool) (out []netip.Prefix) {
	if !interval {
		for _, k := range keys {
			out = append(out, netip.PrefixFrom(k.addr, k.addr.BitLen()))
		}
		return out
	}
	slices.SortFunc(keys, func(a, b key) int {
		if c := a.addr.Compare(b.addr); c != 0 {
			return c
		}
		return cmp.Compare(boolInt(!a.end), boolInt(!b.end)) // an interval may end where the next begins
	})
	for i, k := range keys {
		if k.end {
			continue
		}
		var end netip.Addr
		if i+1 < len(keys) {
			end = keys[i+1].addr
		}
		out = append(out, between(k.addr, end))
	}
	return out
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// between returns the prefix of the addresses from first to the one ahead of
// end; of an interval that is no prefix, the longest that begins at first.
func between(first, end netip.Addr) netip.Prefix {
	for bits := 0; bits < first.BitLen(); bits++ {
		p := netip.PrefixFrom(first, bits)
		if p.Masked() != p {
			continue
		}
		next := behind(p)
		if next == end || next.IsValid() && (!end.IsValid() || !end.Less(next)) {
			return p
		}
	}
	return netip.PrefixFrom(first, first.BitLen())
}
