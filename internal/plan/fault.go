package plan

import (
	"cmp"
	"net/netip"
	"strings"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/sorted"
)

// fault is what is wrong with one peer in one family. There is at most one of
// each kind, so that it can be found again when the peer changes.
type fault struct {
	subnets []netip.Prefix // the lease's
	family  netconf.Family
	kind    faultKind
	err     error
	note    bool // no packet is lost for it
}

type faultKind uint8

const (
	admitting  faultKind = iota // its subnet is not routed
	sharing                     // its subnet overlaps a network of this host
	addressing                  // its address is another host's as well
	sending                     // there is no path to it
	straying                    // the tunnel's packets to it do not leave by the uplink
	silent                      // it answers by no path
	detouring                   // its packets take another path than the preferred one
	narrow                      // its path carries smaller packets only
)

// fault returns a fault of p; without err it is a probe for one.
func (p *peer) fault(f netconf.Family, kind faultKind, err error) fault {
	return fault{p.Subnets, f, kind, err, kind == detouring || kind == narrow}
}

// Compare orders by identity.
func (x fault) Compare(o fault) int {
	return cmp.Or(lease.CompareSubnets(x.subnets, o.subnets), cmp.Compare(x.family, o.family), cmp.Compare(x.kind, o.kind))
}

// line is a fault as it is reported, or a problem of the host itself.
type line struct {
	Problem
	text   string // of the error
	family netconf.Family
	kind   faultKind
}

func (x fault) line() line {
	p := Problem{Subject: lease.FormatSubnets(x.subnets), Err: x.err, Peer: true, Note: x.note}
	return line{p, x.err.Error(), x.family, x.kind}
}

// Compare orders by subject and text.
func (l line) Compare(o line) int {
	return cmp.Or(strings.Compare(l.Subject, o.Subject), strings.Compare(l.text, o.text),
		cmp.Compare(l.family, o.family), cmp.Compare(l.kind, o.kind))
}

// lines returns faults together with what is wrong with the host itself.
func (b *basis) lines(faults []fault) sorted.Set[line] {
	out := make([]line, 0, len(b.problems)+len(faults))
	for _, p := range b.problems {
		out = append(out, line{Problem: p, text: p.Err.Error()})
	}
	for _, x := range faults {
		out = append(out, x.line())
	}
	return sorted.Of(out...)
}

// report returns the problems of lines in their order, each once.
func report(lines sorted.Set[line]) []Problem {
	out := make([]Problem, 0, lines.Len())
	last := ""
	for l := range lines.All() {
		if n := len(out); n > 0 && out[n-1].Subject == l.Subject && last == l.text {
			continue
		}
		out, last = append(out, l.Problem), l.text
	}
	return out
}
