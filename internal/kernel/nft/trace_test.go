package nft_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/kernel/nft"
)

// TestTraceLeavesNothing looks at the tables while a packet is traced, and after.
func TestTraceLeavesNothing(t *testing.T) {
	m := newMachine(t)
	var tracer *nft.Tracer
	p := nft.Traced{Src: netip.MustParseAddr("10.5.1.2"), Dst: netip.MustParseAddr("10.5.3.9"), Proto: 1, ID: 7, Ports: []uint16{8472}}
	check(t, m.Do(func() (err error) {
		tracer, err = nft.OpenTrace(p)
		return err
	}))
	rules := m.shell(t, "nft list ruleset")
	for _, want := range []string{"table inet weft-trace-", "hook prerouting", "hook output", "meta nftrace set 1", "udp dport 8472"} {
		if !strings.Contains(rules, want) {
			t.Errorf("the ruleset lacks %q:\n%s", want, rules)
		}
	}
	check(t, tracer.Close())
	if left := m.shell(t, "nft list ruleset"); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}
