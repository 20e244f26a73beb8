package owned

import (
	"net/netip"
	"testing"
)

// TestTagsStay: an agent of another version has to find what was made.
func TestTagsStay(t *testing.T) {
	for text, want := range map[string]Tag{
		"10.5.0.0/16":   0x5cd40000,
		"10.6.0.0/16":   0x78f80000,
		"fd05::/48":     0x6a340000,
		"10.244.0.0/16": 0x4c680000,
		"172.7.0.0/16":  0x56600000,
	} {
		got := TagOf(netip.MustParsePrefix(text))
		if got != want {
			t.Errorf("the tag of %s has become %#x, want %#x", text, got, want)
		}
		if got.ID(0)&nexthopRange == 0 || got.ID(0)>>31 != 0 {
			t.Errorf("the tag of %s is out of weft's range: %#x", text, got)
		}
		for _, number := range []uint32{0, 1, NexthopNumbers - 1} {
			if id := got.ID(number); TagOfID(id) != got || got.Number(id) != number {
				t.Errorf("id %#x of %s does not read back", id, text)
			}
		}
	}
}
