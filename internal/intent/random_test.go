package intent_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
)

// randomLine draws an event of a trace.
func randomLine(rng *rand.Rand, held *bool) string {
	peer := 22 + rng.IntN(6)
	value := fmt.Sprintf(`{"PublicIP":"10.4.%d.%d","BackendType":"vxlan","BackendData":{"VNI":%d,"VtepMAC":"02:00:00:00:00:%02x"}}`,
		7+rng.IntN(2), 20+rng.IntN(8), 1+rng.IntN(2), rng.IntN(8))
	network := []string{"172.7.0.0/16", "172.7.0.0/16", "10.9.0.0/16"}[rng.IntN(3)]
	subnet := []string{"172.7", "172.7", "10.9"}[rng.IntN(3)]
	backend := []string{
		`{"Type":"vxlan"}`, `{"Type":"vxlan","VNI":2}`, `{"Type":"vxlan","Port":4789}`,
		`{"Type":"host-gw"}`, `{"Type":"vxlan","DirectRouting":true}`,
	}[rng.IntN(5)]
	switch rng.IntN(14) {
	case 0, 1, 2:
		return fmt.Sprintf("lease %s.%d.0-24 %s", subnet, peer, value)
	case 3:
		return fmt.Sprintf("lease %s.%d.0-%d %s", subnet, peer, 22+rng.IntN(4), strings.Replace(value, "vxlan", "udp", rng.IntN(2)))
	case 4, 5:
		return fmt.Sprintf("lease %s.%d.0-24", subnet, peer)
	case 6:
		return fmt.Sprintf(`config {"Network":%q,"Backend":%s}`, network, backend)
	case 7:
		*held = true
		return "held " + strings.TrimSuffix(network, "0.0/16") + "21.0/24"
	case 8:
		return fmt.Sprintf("host 10.4.7.%d/24", 90+rng.IntN(2))
	case 9:
		return []string{"restart", "restart-with-copy"}[rng.IntN(2)]
	case 10:
		return fmt.Sprintf("wait %dms", rng.IntN(90_000))
	case 11:
		return []string{"empty", "config", "config {", "host-fails none"}[rng.IntN(4)]
	}
	return "pass"
}

// After every step of random traces the desired state is what the memoryless
// plan of the same input is, and it is asked for exactly when it changes.
func TestStepsPlanWhatBuildPlans(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 3))
		r := newTracer(t)
		r.play(`config {"Network":"172.7.0.0/16","Backend":{"Type":"vxlan"}}`)
		held := false
		for range 120 {
			line := randomLine(rng, &held)
			if strings.HasPrefix(line, "held") && len(r.request.Net.Ranges) == 0 {
				continue
			}
			r.play(line)
			v := r.state.View()
			if v.Input == nil || v.Faults.Plan != nil {
				continue
			}
			want, _ := plan.Build(*v.Input)
			if ops := netstate.Diff(v.Desired, want); len(ops) > 0 {
				t.Fatalf("seed %d: after %q the desired state differs from the plan by %v; the trace:\n%s", seed, line, ops, r.out.String())
			}
			if ops := netstate.Diff(r.desired, v.Desired); len(ops) > 0 {
				t.Fatalf("seed %d: after %q it was not asked for %v; the trace:\n%s", seed, line, ops, r.out.String())
			}
		}
	}
}
