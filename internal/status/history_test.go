package status

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/api"
)

func withEvents(from, n int) *Events {
	e := newEvents()
	for i := range n {
		e.add(api.Event{Message: fmt.Sprint("event ", from+i)})
	}
	return e
}

// Events of an earlier run come before those of this one, and damaged ones cost
// only themselves.
func TestEventsSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), HistoryName)
	if err := withEvents(1, 5).Save(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	lines, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := strings.Replace(string(lines), `"number":2`, `"number":`, 1) + "{\"number\":6"
	if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
		t.Fatal(err)
	}
	e := withEvents(6, 2)
	e.Recall(path)
	e.add(api.Event{Message: "event 8"})
	var got []string
	for _, one := range e.After(0) {
		got = append(got, fmt.Sprintf("%d %s", one.Number, one.Message))
	}
	want := []string{"1 event 1", "3 event 3", "4 event 4", "5 event 5", "6 event 6", "7 event 7", "8 event 8"}
	if !slices.Equal(got, want) {
		t.Errorf("recalled %q, want %q", got, want)
	}
	if after := e.After(6); len(after) != 2 || after[0].Number != 7 {
		t.Errorf("after the sixth: %+v", after)
	}
}

// A history is bounded, over as many runs as there are.
func TestHistoryIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), HistoryName)
	for run := range 3 {
		e := withEvents(0, 2*eventsKept-1)
		e.Recall(path)
		all := e.After(0)
		if len(all) != eventsKept || all[len(all)-1].Number != int64((run+1)*(2*eventsKept-1)) {
			t.Fatalf("run %d keeps %d events, the last %d", run, len(all), all[len(all)-1].Number)
		}
		if err := e.Save(path); err != nil {
			t.Fatal(err)
		}
	}
}

// Neither a file of something else nor a directory that cannot be written costs
// more than the history.
func TestAHistoryThatCannotBeUsedCostsOnlyItself(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, HistoryName)
	for _, content := range []string{"", "{}\n", "\x00\xff\n[]\n", strings.Repeat("x", maxHistory+1)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		e := withEvents(1, 1)
		if e.Recall(path); len(e.After(0)) != 1 {
			t.Errorf("recalled %+v of %.20q", e.After(0), content)
		}
	}
	if err := withEvents(1, 1).Save(filepath.Join(dir, "none", HistoryName)); err == nil {
		t.Error("saved in a directory that is not there")
	}
}
