package agent

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/netstate"
)

func TestDriftIsToldWithWhoDidIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, _ := twoHosts(t)
		route := a.world.State().Routes.Slice()[0]
		a.world.Emit(netstate.Event{Row: route, Gone: true, PID: uint32(os.Getpid())})
		settle(time.Second)
		if errs := a.world.Open().Apply(t.Context(), []netstate.Op{{Verb: netstate.Remove, Row: route}}); errs[0] != nil {
			t.Fatal(errs[0])
		}
		settle(time.Second)
		me := fmt.Sprintf("[%d]", os.Getpid())
		found, done := false, false
		for _, e := range a.agent.board.Events(0) {
			row := strings.Contains(e.Detail, route.String())
			found = found || row && strings.Contains(e.Message, "object removed") && strings.HasSuffix(e.By, me)
			done = done || row && e.Message == "repaired"
		}
		if !found || !done {
			t.Errorf("no events say that %s was removed by %s (%t) and put right (%t): %+v", route, me, found, done, a.agent.board.Events(0))
		}
		counts := a.agent.board.Status().Counts
		if counts.Drift["removed route"] != 2 || !maps.Equal(counts.Repairs, map[string]int{"add route": 1}) {
			t.Errorf("counted %+v", counts)
		}
	})
}
