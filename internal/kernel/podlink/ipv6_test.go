package podlink

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// conf6 reads an IPv6 parameter of a device, or of those to come.
func conf6(t *testing.T, dev, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("/proc/sys/net/ipv6/conf", dev, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(raw))
}

// TestHostIsDeafToPods: whatever the host does about other devices, no pod can
// make itself the host's router (CVE-2020-10749), and pods with an IPv6 address have their
// gateway.
func TestHostIsDeafToPods(t *testing.T) {
	for name, tc := range map[string]struct {
		addrs        []netip.Addr
		of           string // a parameter
		worst, wants string // of all new devices, and of the pod's
	}{
		"advertisements":     {addrs("10.5.1.1", "fd05:0:0:1::1"), "accept_ra", "2", "0"},
		"advertisements, v6": {addrs("fd05:0:0:1::1"), "accept_ra", "2", "0"},
		"switched off, v6":   {addrs("fd05:0:0:1::1"), "disable_ipv6", "1", "0"},
		"no business, v4":    {addrs("10.5.1.1"), "disable_ipv6", "0", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			before := conf6(t, "default", tc.of)
			if err := set6("default", tc.of, tc.worst); err != nil {
				t.Fatal(err)
			}
			ns := pod(t, "one")
			l := numbered(1)
			l.Addrs = tc.addrs
			attach(t, l, ns)
			if err := set6("default", tc.of, before); err != nil {
				t.Fatal(err)
			}
			if got := conf6(t, l.Host, tc.of); got != tc.wants {
				t.Errorf("%s of the host's end is %s, not %s", tc.of, got, tc.wants)
			}
			if err := l.Check(ns.FD()); err != nil {
				t.Error(err)
			}
		})
	}
}
