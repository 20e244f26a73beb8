package status

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/event"
)

func TestEventsKeepTheLastRecords(t *testing.T) {
	var out bytes.Buffer
	recorder, events := NewRecorder(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}))
	log := slog.New(recorder).With("host", "h 1")
	for i := range eventsKept + 5 {
		log.Info("tick", "n", i)
	}
	log.Debug("not kept")
	log.Warn("kept and logged")
	all := events.After(0)
	if len(all) != eventsKept || all[0].Number != 7 || all[0].Detail() != `host="h 1" n=6` || all[0].Kind != event.Other {
		t.Errorf("%d events, the first %+v", len(all), all[0])
	}
	last := all[len(all)-1]
	if last.Message != "kept and logged" || last.Level != "warn" || len(events.After(last.Number)) != 0 {
		t.Errorf("the last: %+v", last)
	}
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Errorf("%d lines logged:\n%s", n, out.String())
	}
}
