package agent

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/netstate"
)

func TestDriftIsToldWithWhoDidIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, _ := twoHosts(t)
		route := a.world.State().Routes.Slice()[0]
		me := netstate.Event{Row: route, Gone: true, PID: uint32(os.Getpid())}
		a.world.Emit(me) // although the route stands: nothing to tell of
		settle(time.Second)
		if n := a.logged("external change"); n != 0 || len(a.agent.board.Status().Counts.Drift) != 0 {
			t.Errorf("a change that was none is told of %d times: %+v", n, a.agent.board.Status().Counts)
		}
		if errs := a.world.OpenAs(me.PID).Apply(t.Context(), []netstate.Op{{Verb: netstate.Remove, Row: route}}); errs[0] != nil {
			t.Fatal(errs[0])
		}
		settle(time.Second)
		by := fmt.Sprintf("[%d]", os.Getpid())
		told := 0
		for _, e := range a.agent.board.Events(0) {
			if e.Kind != event.Drift && e.Kind != event.Repaired {
				continue
			}
			told++
			if e.Object != route.String() || e.Kind != event.Drift || !strings.Contains(e.Message, "removed") || !strings.HasSuffix(e.By, by) {
				t.Errorf("told: %+v", e)
			}
		}
		if told != 1 {
			t.Errorf("told %d times that %s was removed by %s and restored: %+v", told, route, by, a.agent.board.Events(0))
		}
		counts := a.agent.board.Status().Counts
		if counts.Drift["removed route"] != 1 || !maps.Equal(counts.Repairs, map[string]int{"add route": 1}) {
			t.Errorf("counted %+v", counts)
		}
	})
}
