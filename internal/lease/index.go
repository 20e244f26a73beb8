package lease

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/sorted"
)

// Index finds the leases of a set by what their subnets overlap and by what
// they announce. It is a value like the set it belongs to: With and Without
// return changed copies. The zero Index is empty.
type Index struct {
	subnets sorted.Set[indexed]
	public  sorted.Set[indexed] // addresses, as prefixes of full length
}

// indexed says that the lease of key has prefix.
type indexed struct {
	prefix netip.Prefix
	key    []netip.Prefix // the lease's subnets
}

// Compare orders by prefix: a wider one before those that it contains.
func (e indexed) Compare(o indexed) int {
	if c := e.prefix.Compare(o.prefix); c != 0 {
		return c
	}
	return CompareSubnets(e.key, o.key)
}

// IndexOf returns the index of all.
func IndexOf(all Set) Index {
	var subnets, public []indexed
	for l := range all.All() {
		for _, p := range l.Subnets {
			subnets = append(subnets, indexed{p, l.Subnets})
		}
		for _, a := range l.Public {
			public = append(public, indexed{single(a), l.Subnets})
		}
	}
	return Index{subnets: sorted.Of(subnets...), public: sorted.Of(public...)}
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// With returns x with l in it. A lease of the same subnets must be taken out
// first.
func (x Index) With(l Lease) Index {
	for _, p := range l.Subnets {
		x.subnets = x.subnets.With(indexed{p, l.Subnets})
	}
	for _, a := range l.Public {
		x.public = x.public.With(indexed{single(a), l.Subnets})
	}
	return x
}

// Replace returns x with l in it in place of old, which has the same subnets
// and is as With was given it.
func (x Index) Replace(old, l Lease) Index {
	if slices.Equal(old.Public, l.Public) {
		return x
	}
	public := x.public.Edit()
	for _, a := range old.Public {
		public.Remove(indexed{single(a), l.Subnets})
	}
	for _, a := range l.Public {
		public.Put(indexed{single(a), l.Subnets})
	}
	x.public = public.Set()
	return x
}

// Without returns x without l, which is as With was given it.
func (x Index) Without(l Lease) Index {
	for _, p := range l.Subnets {
		x.subnets = x.subnets.Without(indexed{p, l.Subnets})
	}
	for _, a := range l.Public {
		x.public = x.public.Without(indexed{single(a), l.Subnets})
	}
	return x
}

// Announcing returns the subnets of each lease that announces a.
func (x Index) Announcing(a netip.Addr) [][]netip.Prefix {
	return keysAt(x.public, single(a), nil)
}

// Overlapping returns the subnets of each lease of which one overlaps p. A
// lease may be in it twice.
func (x Index) Overlapping(p netip.Prefix) [][]netip.Prefix {
	var out [][]netip.Prefix
	for e := range x.subnets.From(indexed{prefix: p}) {
		if !p.Contains(e.prefix.Addr()) {
			break
		}
		out = append(out, e.key)
	}
	for bits := range p.Bits() { // each prefix that contains p and is wider
		wide := netip.PrefixFrom(p.Addr(), bits).Masked()
		out = keysAt(x.subnets, wide, out)
	}
	return out
}

// Rivals returns the subnets of each lease but l that claims addresses of l or
// announces one of its public addresses.
func (x Index) Rivals(l Lease) [][]netip.Prefix {
	var out [][]netip.Prefix
	for _, p := range l.Subnets {
		out = append(out, x.Overlapping(p)...)
	}
	for _, a := range l.Public {
		out = append(out, x.Announcing(a)...)
	}
	out = slices.DeleteFunc(out, func(key []netip.Prefix) bool { return slices.Equal(key, l.Subnets) })
	slices.SortFunc(out, CompareSubnets)
	return slices.CompactFunc(out, slices.Equal)
}

func keysAt(s sorted.Set[indexed], p netip.Prefix, out [][]netip.Prefix) [][]netip.Prefix {
	for e := range s.From(indexed{prefix: p}) {
		if e.prefix != p {
			break
		}
		out = append(out, e.key)
	}
	return out
}
