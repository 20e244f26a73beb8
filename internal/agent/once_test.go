package agent

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/status"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/mem"
)

// logged counts the events that say text.
func (s *fixture) logged(text string) int {
	n := 0
	for _, e := range s.agent.board.Events(0) {
		if strings.Contains(e.Message+" "+e.Detail(), text) {
			n++
		}
	}
	return n
}

func TestWaitingIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := mem.New()
		a := newFixture(t, st, "10.4.7.21/24")
		a.down.Store(true)
		a.start()
		settle(time.Hour)
		if n := a.logged("no network config yet"); n != 1 {
			t.Errorf("told %d times that there is no config", n)
		}
		if err := st.SetConfig(t.Context(), []byte(`{"Network":"172.7.0.0/29"}`), store.AnyRevision); err != nil {
			t.Fatal(err)
		}
		settle(time.Hour)
		if a.logged("172.7.0.0/29") != 1 || a.logged("still using the last") != 0 {
			t.Errorf("events: %+v", a.agent.board.Events(0))
		}
		if err := st.SetConfig(t.Context(), []byte(vxlanConfig), store.AnyRevision); err != nil {
			t.Fatal(err)
		}
		settle(time.Hour)
		if n := a.logged("eth0: is down"); n != 1 {
			t.Errorf("told %d times that the uplink is down", n)
		}
		a.down.Store(false)
		settle(time.Minute)
		if a.ready != 1 {
			t.Error("not ready with all in place")
		}
	})
}

// The events of an agent go from its start to its stop, say once that it is
// ready, and are there after a restart.
func TestEventsTellTheLifeOfAnAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFixture(t, configured(t, vxlanConfig), "10.4.7.21/24")
		for range 2 {
			a.start()
			settle(time.Hour)
			a.held = a.subnet()
			a.stop()
		}
		var kinds []event.Kind
		for i, e := range a.agent.board.Events(0) {
			if e.Kind == event.Ready || e.Kind == event.Stopping {
				kinds = append(kinds, e.Kind)
			}
			if e.Number != int64(i+1) {
				t.Errorf("event %d: %+v", i+1, e)
			}
		}
		if want := []event.Kind{event.Ready, event.Stopping, event.Ready, event.Stopping}; !slices.Equal(kinds, want) {
			t.Errorf("events: %v, want %v", kinds, want)
		}
		want := []status.Short{{Text: "ready: " + a.held.String() + " at 10.4.7.21, vxlan"}, {Text: "stopping (traffic keeps flowing; 'weft clean' removes everything)", Stopping: true}}
		if last := a.short[len(a.short)-2:]; !slices.Equal(last, want) {
			t.Errorf("told at last: %+v, want %+v", last, want)
		}
	})
}
