package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Event is something that an agent did or observed. Numbers grow
// by one from 1; the agent keeps the last thousand.
type Event struct {
	Number  int64     `json:"number"`
	At      time.Time `json:"at"`
	Level   string    `json:"level"` // "info", "warn", "error"
	Message string    `json:"message"`
	Detail  string    `json:"detail,omitempty"` // key=value pairs
	By      string    `json:"by,omitempty"`     // the process that caused it, "ip[4711]", if the kernel reports it
}

const pathEvents = "/v1/events" // []Event as JSON, those after ?after=NUMBER

func serveEvents(w http.ResponseWriter, r *http.Request, a Agent) {
	after := int64(0)
	if text := r.URL.Query().Get("after"); text != "" {
		var err error
		if after, err = strconv.ParseInt(text, 10, 64); err != nil {
			writeJSON(w, http.StatusBadRequest, failure{Error: fmt.Sprintf("after=%s: not a number", text)})
			return
		}
	}
	events := a.Events(after)
	if events == nil {
		events = []Event{}
	}
	writeJSON(w, http.StatusOK, events)
}

// Events asks for the events after the given number, oldest first.
func (c *Client) Events(ctx context.Context, after int64) ([]Event, error) {
	var events []Event
	err := c.get(ctx, fmt.Sprintf("%s?after=%d", pathEvents, after), func(body io.Reader) error { return json.NewDecoder(body).Decode(&events) })
	return events, err
}
