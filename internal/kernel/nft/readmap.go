package nft

import (
	"bytes"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/kernel/rtnl"
)

// element is a member of a set or map of anybody's.
type element struct {
	key   []byte // nil: all keys that are not there
	end   bool   // it is the first key behind an interval
	code  int32  // of a map of verdicts
	chain string // likewise: where it leads
}

const catchAll = 2 // NFT_SET_ELEM_CATCHALL

// content lists the members of a set or map.
func (c *Conn) content(t table, name string) (out []element, err error) {
	var b rtnl.Batch
	message(&b, unix.NFT_MSG_GETSETELEM, unix.NLM_F_DUMP, t.family)
	b.String(unix.NFTA_SET_ELEM_LIST_TABLE, t.name)
	b.String(unix.NFTA_SET_ELEM_LIST_SET, name)
	for m, err := range c.conn.Dump(&b) {
		if err != nil {
			return nil, err
		}
		_, attrs, _ := m.Header(nfgenSize)
		for a := range attrs.All() {
			if a.Type == unix.NFTA_SET_ELEM_LIST_ELEMENTS {
				out = decodeElements(out, a.Attrs())
			}
		}
	}
	// An interval may end where the next begins.
	slices.SortStableFunc(out, func(a, b element) int {
		if c := bytes.Compare(a.key, b.key); c != 0 {
			return c
		}
		return boolInt(!a.end) - boolInt(!b.end)
	})
	return out, nil
}

func decodeElements(out []element, list rtnl.Attrs) []element {
	for item := range list.All() {
		var e element
		flags := uint32(0)
		for a := range item.Attrs().All() {
			switch a.Type {
			case unix.NFTA_SET_ELEM_FLAGS:
				flags = a.Uint32BE()
			case unix.NFTA_SET_ELEM_KEY:
				e.key = valueOf(a)
			case unix.NFTA_SET_ELEM_DATA:
				e.code, e.chain, _ = verdictOf(a)
			}
		}
		e.end = flags&unix.NFT_SET_ELEM_INTERVAL_END != 0
		if e.key != nil || flags&catchAll != 0 {
			out = append(out, e)
		}
	}
	return out
}

// interval is a run of keys; to is nil if it is the key from alone.
type interval struct {
	from, behind []byte
	open         bool // up to the last key
	element
}

// intervals puts the elements of a set together. hasEnds tells a set of
// intervals from one of single keys.
func intervals(list []element) (out []interval) {
	hasEnds := slices.ContainsFunc(list, func(e element) bool { return e.end })
	for i, e := range list {
		if e.end || e.key == nil {
			continue
		}
		v := interval{from: e.key, element: e}
		if hasEnds {
			v.open = i+1 == len(list)
			if !v.open {
				v.behind = list[i+1].key
			}
		}
		out = append(out, v)
	}
	return out
}

// prefixes returns the addresses of an interval; none if its keys are no
// addresses.
func (v interval) prefixes(size int) (out []netip.Prefix, ok bool) {
	from, ok := netip.AddrFromSlice(v.from)
	if !ok || len(v.from) != size {
		return nil, false
	}
	end, _ := netip.AddrFromSlice(v.behind)
	if end == from || !v.open && !end.IsValid() {
		return []netip.Prefix{netip.PrefixFrom(from, from.BitLen())}, true
	}
	for from.IsValid() && from != end {
		p := between(from, end)
		out = append(out, p)
		from = behind(p)
	}
	return out, true
}

// ports returns the ports of an interval.
func (v interval) ports() (r host.PortRange, ok bool) {
	if len(v.from) != 2 {
		return r, false
	}
	r.First = portOf(v.from)
	r.Last = r.First
	switch {
	case v.open:
		r.Last = 0xffff
	case len(v.behind) == 2 && portOf(v.behind) > r.First:
		r.Last = portOf(v.behind) - 1
	}
	return r, true
}
