package netconf

import (
	"net/netip"
	"slices"
	"testing"
)

func TestPasts(t *testing.T) {
	pasts := []Previous{{netip.MustParsePrefix("172.7.0.0/16"), 24}, {netip.MustParsePrefix("fd17:7::/48"), 64}}
	const text = "172.7.0.0/16-24,fd17:7::/48-64"
	if got := FormatPrevious(pasts); got != text {
		t.Errorf("written as %s", got)
	}
	if got, err := ParsePrevious(text); err != nil || !slices.Equal(got, pasts) {
		t.Errorf("read as %v, %v", got, err)
	}
	for _, bad := range []string{"", "172.7.0.0/16", "172.7.1.0/16-24", "172.7.0.0/16-15", "172.7.0.0/16-32", "::ffff:1.2.0.0/112-120", text + ",", "x-24"} {
		if got, err := ParsePrevious(bad); err == nil {
			t.Errorf("%q was read as %v", bad, got)
		}
	}
	for subnet, want := range map[string][2]bool{
		"172.7.1.0/24": {true, true}, "172.7.1.0/25": {true, false}, "172.0.0.0/8": {false, false},
		"172.8.1.0/24": {false, false}, "fd17:7::/64": {false, false},
	} {
		p := netip.MustParsePrefix(subnet)
		if got := [2]bool{pasts[0].Holds(p), pasts[0].Regular(p)}; got != want {
			t.Errorf("%s: holds, regular %v", subnet, got)
		}
	}
}
