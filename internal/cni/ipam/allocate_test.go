package ipam

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func addrs(texts ...string) (all []netip.Addr) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

// TestWantedAddresses come from the subnets that have them; the other subnets
// go on in their order.
func TestWantedAddresses(t *testing.T) {
	s := open(t, t.TempDir())
	allocate(t, s, numbered(1), both...)
	r, err := s.Allocate(t.Context(), numbered(2), "net", both, addrs("10.5.1.9")...)
	if got := r.target(); err != nil || got != "net 10.5.1.9 fd05:0:0:1::3" {
		t.Errorf("got %s, %v", got, err)
	}
	if got := allocate(t, s, numbered(3), both...); got != "10.5.1.3 fd05:0:0:1::4" {
		t.Errorf("the next one got %s", got)
	}
}

func TestWantedAddressesAreRefused(t *testing.T) {
	s := open(t, t.TempDir())
	allocate(t, s, numbered(1), both...)
	for name, tc := range map[string]struct {
		wanted []netip.Addr
		says   string
	}{
		"in use":           {addrs("10.5.1.2"), "container c1 has it on its interface eth0"},
		"elsewhere":        {addrs("10.6.1.2"), "none of this host's subnets [10.5.1.0/24 fd05:0:0:1::/64]"},
		"the network's":    {addrs("10.5.1.0"), "reserved"},
		"the host's":       {addrs("fd05:0:0:1::1"), "reserved"},
		"broadcast":        {addrs("10.5.1.255"), "reserved"},
		"two of one":       {addrs("10.5.1.8", "10.5.1.9"), "10.5.1.8 of the same subnet"},
		"one of two is no": {addrs("10.5.1.8", "fd05::1"), "fd05::1"},
	} {
		_, err := s.Allocate(t.Context(), numbered(2), "net", both, tc.wanted...)
		if _, ok := errors.AsType[*RequestError](err); !ok || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: got %v, want a RequestError that says %q", name, err, tc.says)
		}
	}
	if all, err := s.List(); len(all) != 1 || err != nil {
		t.Errorf("%v are on record, %v", all, err)
	}
}
