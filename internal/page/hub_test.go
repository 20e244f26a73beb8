package page

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/api"
)

// said returns what a watcher was told by one look, as "name data" lines.
func said(t *testing.T, h *hub, c chan message) string {
	t.Helper()
	h.look(t.Context())
	var out []string
	for {
		select {
		case m := <-c:
			out = append(out, m.name+" "+string(m.data))
		default:
			return strings.Join(out, "\n")
		}
	}
}

func TestTroubleIsToldAndTakenBack(t *testing.T) {
	var failure error
	a := &twin{status: reportOf().Status}
	h := newHub(Source{Agents: func(context.Context) ([]Agent, error) { return []Agent{{Host: "h1", Asker: a}}, failure }})
	_, c := h.join()
	if text := said(t, h, c); !strings.HasPrefix(text, "fabric ") {
		t.Errorf("at first: %s", text)
	}
	if text := said(t, h, c); text != "" {
		t.Errorf("without news: %s", text)
	}
	failure = errors.New("no agent answers")
	if text := said(t, h, c); text != `trouble "no agent answers"` {
		t.Errorf("without an agent: %s", text)
	}
	if text := said(t, h, c); text != "" {
		t.Errorf("the same trouble again: %s", text)
	}
	failure = nil
	a.status.Peers = a.status.Peers[:1]
	if text := said(t, h, c); !strings.HasPrefix(text, "trouble \"\"\npatch ") || !strings.Contains(text, `"goneHosts":["10.42.3.0/24"]`) {
		t.Errorf("with the agent again: %s", text)
	}
}

func TestEventsOfAnAgentWhoseNumbersBeganAnew(t *testing.T) {
	a := &twin{status: reportOf().Status, events: []api.Event{{Number: 900, Message: "before"}}}
	a.status.Started = time.Unix(1, 0)
	h := newHub(sourceOf(a))
	_, c := h.join()
	if text := said(t, h, c); !strings.Contains(text, "before") {
		t.Errorf("at first: %s", text)
	}
	if text := said(t, h, c); text != "" {
		t.Errorf("without news: %s", text)
	}
	a.status.Started, a.events = time.Unix(2, 0), []api.Event{{Number: 1, Message: "after"}}
	if text := said(t, h, c); !strings.Contains(text, `"number":1`) {
		t.Errorf("after a restart without its state: %s", text)
	}
}

func TestSlowWatcherIsClosedOut(t *testing.T) {
	h := newHub(Source{})
	_, c := h.join()
	for range cap(c) + 1 {
		h.send(encode("trouble", "again"))
	}
	if h.watched() {
		t.Error("it is still sent to")
	}
	for range cap(c) {
		<-c
	}
	if _, open := <-c; open {
		t.Error("its channel is open")
	}
}
