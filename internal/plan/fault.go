package plan

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
)

// fault is what is wrong with one peer in one family. There is at most one of
// each kind, so that it can be found again when the peer changes.
type fault struct {
	subnets []netip.Prefix // the lease's
	family  netconf.Family
	kind    faultKind
	err     error
}

type faultKind uint8

const (
	admitting  faultKind = iota // its subnet is not routed
	addressing                  // its address is another host's as well
	sending                     // there is no path to it
)

// fault returns a fault of p; without err it is a probe for one.
func (p *peer) fault(f netconf.Family, kind faultKind, err error) fault {
	return fault{p.Subnets, f, kind, err}
}

// Compare orders by identity.
func (x fault) Compare(o fault) int {
	return cmp.Or(lease.CompareSubnets(x.subnets, o.subnets), cmp.Compare(x.family, o.family), cmp.Compare(x.kind, o.kind))
}

// report returns faults together with what is wrong with the host itself,
// sorted by subject and text, each once.
func (b *basis) report(faults iter.Seq[fault]) []Problem {
	out := slices.Clone(b.problems)
	for x := range faults {
		out = append(out, Problem{Subject: lease.FormatSubnets(x.subnets), Err: x.err})
	}
	slices.SortFunc(out, func(p, q Problem) int {
		return cmp.Or(strings.Compare(p.Subject, q.Subject), strings.Compare(p.Err.Error(), q.Err.Error()))
	})
	return slices.CompactFunc(out, func(p, q Problem) bool { return p.Subject == q.Subject && p.Err.Error() == q.Err.Error() })
}
