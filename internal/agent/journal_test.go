package agent

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/netstate"
)

func TestJournalKeepsTheLastRecords(t *testing.T) {
	var out bytes.Buffer
	j := newJournal(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}))
	log := slog.New(j).With("host", "h 1")
	for i := range journalSize + 5 {
		log.Info("tick", "n", i)
	}
	log.Debug("not kept")
	log.Warn("kept and logged")
	all := j.pages.after(0)
	if len(all) != journalSize || all[0].Number != 7 || all[0].Detail != `host="h 1" n=6` {
		t.Errorf("%d events, the first %+v", len(all), all[0])
	}
	last := all[len(all)-1]
	if last.Message != "kept and logged" || last.Level != "warn" || len(j.pages.after(last.Number)) != 0 {
		t.Errorf("the last: %+v", last)
	}
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Errorf("%d lines logged:\n%s", n, out.String())
	}
}

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
			found = found || row && strings.Contains(e.Message, "removed from outside") && strings.HasSuffix(e.By, me)
			done = done || row && e.Message == "put right"
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
