package kernel_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-net/weft/internal/netstate"
)

// TestBothKindsOfIPTables has rules of both kinds in the way, and answers each
// in its own way.
func TestBothKindsOfIPTables(t *testing.T) {
	t.Setenv("XTABLES_LOCKFILE", filepath.Join(t.TempDir(), "lock")) // the usual one is root's
	t.Setenv("PATH", "/usr/sbin:/sbin:"+os.Getenv("PATH"))
	ns := newHost(t)
	k := open(t, ns)
	shell(t, ns, `
		iptables-nft -P FORWARD DROP
		iptables-legacy -A FORWARD -j REJECT
		ip6tables-legacy -P INPUT DROP`)
	const rulesets = "nft list ruleset; iptables-legacy -S; ip6tables-legacy -S"
	before := shell(t, ns, rulesets)
	barriers, err := k.Barriers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ways []string
	for _, b := range barriers {
		ways = append(ways, strings.Join([]string{b.Via, b.Family, b.Chain, b.Rules[0].Stops}, " "))
	}
	want := []string{"legacy ip FORWARD reject in chain FORWARD", "legacy ip6 INPUT policy drop", "nft ip FORWARD policy drop"}
	if diff := cmp.Diff(want, ways); diff != "" {
		t.Errorf("other barriers:\n%s", diff)
	}
	rows, err := netstate.Parse(strings.NewReader(`
table weft
chain weft postrouting type nat hook postrouting priority 99 policy accept
rule weft postrouting 0 ip saddr 10.5.0.0/16 ip daddr 10.5.0.0/16 snat ip to ip saddr
hook legacy ip filter FORWARD head ip saddr 10.5.0.0/16 counter accept comment "weft"
hook legacy ip6 filter INPUT head udp dport 8472 counter accept comment "weft"
hook nft ip filter FORWARD head ip saddr 10.5.0.0/16 counter accept comment "weft"
`))
	if err != nil {
		t.Fatal(err)
	}
	scope := netstate.ScopeOf([]netip.Prefix{netip.MustParsePrefix("10.5.0.0/16")}, rows)
	for _, want := range []*netstate.State{rows, rows, {}} {
		have, err := k.Observe(t.Context(), scope, netstate.AllKinds)
		if err != nil {
			t.Fatal(err)
		}
		ops := netstate.Diff(have, want)
		for i, err := range k.Apply(t.Context(), ops) {
			if err != nil {
				t.Errorf("%s: %v", ops[i], err)
			}
		}
		if have, err = k.Observe(t.Context(), scope, netstate.AllKinds); err != nil || have.String() != want.String() {
			t.Errorf("observed %v otherwise than wanted:\n%s", err, cmp.Diff(want.String(), have.String()))
		}
	}
	if after := shell(t, ns, rulesets); after != before {
		t.Errorf("not as before:\n%s", cmp.Diff(before, after))
	}
}
