package lease

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/netconf"
)

// span is a run of subnet indexes of a range, both ends included.
type span struct{ first, last uint64 }

// pickFree returns the free subnet of r that pick selects: pick modulo the
// number of those that overlap none of taken. ok is false if there is none.
// The effort grows with taken (n log n), not with the range.
func pickFree(r netconf.Range, taken []netip.Prefix, pick uint64) (p netip.Prefix, ok bool) {
	used := spans(r, taken)
	free := r.Count()
	for _, s := range used {
		free -= s.last - s.first + 1
	}
	if free == 0 {
		return netip.Prefix{}, false
	}
	i := pick % free
	for _, s := range used { // step over every used run at or before i
		if i < s.first {
			break
		}
		i += s.last - s.first + 1
	}
	return r.At(i), true
}

// spans returns the indexes of r's subnets that overlap one of taken, as
// sorted runs that neither overlap nor touch an index twice.
func spans(r netconf.Range, taken []netip.Prefix) []span {
	var all []span
	for _, p := range taken {
		if first, last, ok := r.Cover(p); ok {
			all = append(all, span{first, last})
		}
	}
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	merged := all[:0]
	for _, s := range all {
		if n := len(merged); n > 0 && s.first <= merged[n-1].last {
			merged[n-1].last = max(merged[n-1].last, s.last)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}
