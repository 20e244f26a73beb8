package agent

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/store"
)

// TestAnEmptiedStoreStopsNobodysTraffic empties the store under running agents
// and counts what they change in their kernels.
func TestAnEmptiedStoreStopsNobodysTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := configured(t, vxlanConfig)
		var all []*fixture
		for _, addr := range []string{"10.4.7.21/24", "10.4.7.22/24", "10.4.7.23/24"} {
			s := newFixture(t, st, addr)
			s.start()
			all = append(all, s)
		}
		settle(time.Second)
		written := map[*fixture]int{}
		for _, s := range all {
			s.held = s.subnet()
			written[s] = len(s.world.Applied())
		}
		st.Clear()
		settle(time.Minute)
		for _, s := range all {
			if extra := s.world.Applied()[written[s]:]; len(extra) != 0 {
				t.Errorf("%s changed %v", s.name, extra)
			}
			if s.subnet() != s.held {
				t.Errorf("%s had %s and has %s", s.name, s.held, s.subnet())
			}
			if err := s.agent.board.Ready(); err == nil || !strings.Contains(err.Error(), "was deleted from the store") {
				t.Errorf("%s says %v", s.name, err)
			}
		}
		snap, err := st.Snapshot(t.Context())
		if err != nil || snap.Leases.Len() != len(all) {
			t.Fatalf("%d leases are registered again, %v", snap.Leases.Len(), err)
		}
		gone := all[2]
		gone.stop()
		if err := st.Release(t.Context(), []netip.Prefix{gone.held}); err != nil {
			t.Fatal(err)
		}
		if err := st.SetConfig(t.Context(), []byte(vxlanConfig), store.AnyRevision); err != nil {
			t.Fatal(err)
		}
		settle(time.Minute)
		all[0].routes(all[1].held)
		if err := all[0].agent.board.Ready(); err != nil {
			t.Error("with the config back:", err)
		}
	})
}
