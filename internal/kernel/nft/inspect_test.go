package nft_test

import (
	"slices"
	"testing"
)

// TestInspectors has a chain a line: what it does to packets beside letting them
// through or not, "" if nothing.
func TestInspectors(t *testing.T) {
	for _, tc := range []struct{ chain, rules, does string }{
		{"type filter hook forward priority 0; policy drop;", "ct state invalid drop; ip saddr 10.9.0.0/16 counter accept; tcp dport 80 reject", ""},
		{"type filter hook forward priority 0;", "counter log prefix \"seen\"", "log in chain c"},
		{"type filter hook prerouting priority 0;", "iifname \"eth9\" meta mark set 5", "meta in chain c"},
		{"type filter hook forward priority 0;", "ct mark set 5", "ct in chain c"},
		{"type filter hook forward priority 0;", "tcp flags syn tcp option maxseg size set 1200", "exthdr in chain c"},
		{"type filter hook prerouting priority raw;", "notrack", "notrack in chain c"},
		{"type nat hook prerouting priority dstnat;", "ip daddr 10.9.9.9 dnat to 10.9.9.8", "nat in chain c"},
		{"type nat hook postrouting priority srcnat;", "ip saddr 10.9.0.0/16 masquerade", ""},
		{"type filter hook input priority 0;", "log", ""},
	} {
		m := newMachine(t)
		m.shell(t, "nft 'table inet t { chain c { "+tc.chain+" "+tc.rules+"; }; }'")
		found, err := m.Inspectors(t.Context())
		check(t, err)
		var does []string
		for _, b := range found {
			for _, r := range b.Rules {
				does = append(does, r.Stops)
			}
		}
		var want []string
		if tc.does != "" {
			want = []string{tc.does}
		}
		if !slices.Equal(does, want) {
			t.Errorf("%s %s: %q, want %q", tc.chain, tc.rules, does, want)
		}
	}
}
