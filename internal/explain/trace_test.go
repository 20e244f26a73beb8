package explain_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-net/weft/internal/explain"
	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netdump"
)

// TestTraceNamesRulesByTheirText follows a packet that a rule drops, one that a policy drops,
// and one that is answered.
func TestTraceNamesRulesByTheirText(t *testing.T) {
	f := &explain.Facts{}
	chain(f, "inet mine through forward 0", rule(4, "ip daddr 10.5.3.9 drop", host.Match{}, netdump.Drop))
	a, b := netip.MustParseAddr("10.5.1.2"), netip.MustParseAddr("10.5.3.9")
	step := func(handle uint64, policy bool, does netdump.Action) netdump.Step {
		return netdump.Step{Family: "inet", Table: "mine", Chain: "through", Handle: handle, Policy: policy, Does: does, Src: a, Dst: b}
	}
	const name = "10.5.1.2 > 10.5.3.9"
	for _, tc := range []struct {
		name string
		sent explain.Sent
		want []explain.Station
	}{
		{"dropped by a rule", explain.Sent{Steps: []netdump.Step{step(4, false, netdump.Drop), step(0, true, netdump.Accept)}}, []explain.Station{{
			Name: name, Object: "inet mine through: ip daddr 10.5.3.9 drop", State: explain.Broken, Note: "forward: drop",
			Remedy: "change the rule, or remove it: nft delete rule inet mine through handle 4",
		}}},
		{"dropped by a policy", explain.Sent{Steps: []netdump.Step{step(0, true, netdump.Drop)}}, []explain.Station{{
			Name: name, Object: "inet mine through: policy drop", State: explain.Broken, Note: "forward: drop",
			Remedy: "accept the network's packets in this chain: docs/guides/firewall.md has the rules",
		}}},
		{"answered", explain.Sent{Steps: []netdump.Step{step(9, false, netdump.Accept)}, Answered: true, Took: 1234567 * time.Nanosecond}, []explain.Station{
			{Name: name, Object: "inet mine through: rule with handle 9", State: explain.OK, Note: "forward: accept"},
			{Name: "answer", Object: "received after 1.23ms", State: explain.OK},
		}},
	} {
		if diff := cmp.Diff(tc.want, explain.Trace(f.Kernel.Firewall, tc.sent)); diff != "" {
			t.Errorf("%s:\n%s", tc.name, diff)
		}
	}
	if last := explain.Trace(f.Kernel.Firewall, explain.Sent{}); len(last) != 1 || last[0].State != explain.Unknown {
		t.Errorf("without an answer: %+v", last)
	}
}
