package flannel

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestRangesWithoutAddresses(t *testing.T) {
	for _, tc := range []struct{ subnet, used, want string }{
		{"10.5.1.0/24", "", "-"},
		{"10.5.1.0/24", "10.5.2.7 fd05::7", "-"},
		{"10.5.1.0/24", "10.5.1.2", "-10.5.1.1 10.5.1.3-"},
		{"10.5.1.0/24", "10.5.1.1 10.5.1.2 10.5.1.9", "10.5.1.3-10.5.1.8 10.5.1.10-"},
		{"10.5.1.0/24", "10.5.1.254", "-10.5.1.253"},
		{"10.5.1.0/30", "10.5.1.1 10.5.1.2", ""},
		{"fd05::/64", "fd05::2 fd05::3", "-fd05::1 fd05::4-"},
	} {
		var used []netip.Addr
		for text := range strings.FieldsSeq(tc.used) {
			used = append(used, netip.MustParseAddr(text))
		}
		var got []string
		for _, part := range without(netip.MustParsePrefix(tc.subnet), used) {
			side := func(key string) string {
				if part[key] == nil {
					return ""
				}
				return fmt.Sprint(part[key])
			}
			got = append(got, side("rangeStart")+"-"+side("rangeEnd"))
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s without %s: %s, want %s", tc.subnet, tc.used, got, tc.want)
		}
	}
}
