package xtables

import (
	"slices"
	"testing"

	"github.com/weft-net/weft/internal/netstate"
)

// FuzzListing reads what the program might print.
func FuzzListing(f *testing.F) {
	f.Add("-P FORWARD DROP\n-N OTHER\n-A FORWARD -s 10.5.0.0/16 -m comment --comment weft -j ACCEPT\n-A FORWARD -j OTHER\n-A OTHER -m comment --comment \"a b\" -g FORWARD\n")
	f.Add("-A FORWARD \"")
	f.Fuzz(func(t *testing.T, text string) {
		l := parseListing(text)
		for chain, rules := range l.rules {
			_ = l.stops(chain, "ip")
			_ = l.prefixes(chain)
			for _, r := range rules {
				if b := r.body(); b.Unknown == "" && !slices.Equal(r, arguments(b)) {
					t.Errorf("%q is taken for %s", r, b)
				}
			}
		}
		l.ownRules(families[0], "filter", netstate.Scope{Tables: []string{"weft"}})
	})
}
