package status

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/recordfile"
)

// HistoryName is the file in the state directory by which events survive a
// restart: an event a line, as JSON.
const HistoryName = "events.jsonl"

// The history is written this long after an event, and then not again for
// historyPause, and for historyShare times what it took.
const (
	historyDelay = time.Second
	historyPause = 10 * time.Second
	historyShare = 50
)

// maxHistory is the maximum size in bytes of a history that is read: ten times
// what the events that are kept take up.
const maxHistory = 4 << 20

// Recall puts the events that an earlier run wrote to path ahead of those of
// this one. What cannot be read costs itself only: nothing depends on it.
func (e *Events) Recall(path string) {
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxHistory {
		return
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return
	}
	var earlier []api.Event
	for line := range bytes.Lines(data) {
		var one api.Event
		if json.Unmarshal(line, &one) != nil || one.Message == "" || one.Number < 1 || len(earlier) > 0 && one.Number <= earlier[len(earlier)-1].Number {
			continue
		}
		earlier = append(earlier, one)
	}
	e.recall(earlier[max(0, len(earlier)-eventsKept):])
}

// Keep writes the events to path, as they come and not too often, until ctx
// ends. A path that cannot be written costs the history alone; that the
// directory cannot be written is status's to tell anyway.
func (e *Events) Keep(ctx context.Context, path string) error {
	for pause := historyDelay; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-e.bell:
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		start := time.Now()
		_ = e.Save(path) // see above
		pause = max(historyPause, historyShare*time.Since(start))
	}
}

// Save writes the events that are kept to path, readable by its owner alone.
func (e *Events) Save(path string) error {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	for _, one := range e.After(0) {
		if err := enc.Encode(one); err != nil {
			return err
		}
	}
	return recordfile.Replace(path, out.Bytes())
}
