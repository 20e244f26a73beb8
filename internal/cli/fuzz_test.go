package cli

import (
	"slices"
	"testing"

	"github.com/weft-net/weft/internal/lease"
)

func FuzzParseSubnets(f *testing.F) {
	for _, seed := range []string{"10.5.34.0/24", "fd00:1::/64,10.5.34.0/24", "10.5.34.0-24&fd00:1::-64", "::ffff:10.5.34.0/120", "0.0.0.0/0", ",", "fe80::%a/64"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		subnets, err := parseSubnets(text)
		if err != nil {
			return
		}
		for _, form := range []string{lease.FormatSubnets(subnets), lease.Key(subnets)} {
			again, err := parseSubnets(form)
			if err != nil || !slices.Equal(again, subnets) {
				t.Errorf("%q is %v; that, written as %q, is %v, %v", text, subnets, form, again, err)
			}
		}
	})
}

func FuzzCompareDocuments(f *testing.F) {
	f.Add(`{"Network": "10.5.0.0/16"}`, `{"network": null, "Backend": {"Type": "vxlan"}}`)
	f.Add(`[`, `{"a": {}}`)
	f.Fuzz(func(t *testing.T, from, to string) {
		forth := compareDocuments([]byte(from), []byte(to))
		back := compareDocuments([]byte(to), []byte(from))
		if len(forth) != len(back) {
			t.Errorf("%d changes one way and %d the other:\n%q\n%q", len(forth), len(back), forth, back)
		}
		if same := compareDocuments([]byte(from), []byte(from)); len(same) != 0 {
			t.Errorf("a document differs from itself: %q", same)
		}
	})
}
