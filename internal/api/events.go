package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weft-net/weft/internal/event"
)

// Event is something that an agent did or observed. Numbers grow by one and go
// on after a restart, as far as the state directory could be written; the agent
// keeps the last thousand. What an event does not have is absent.
type Event struct {
	Number  int64      `json:"number"` // from 1
	At      time.Time  `json:"at,omitzero"`
	Level   string     `json:"level"`             // "info", "warn", "error"
	Kind    event.Kind `json:"kind"`              // one of event.Meanings
	Message string     `json:"message"`           // for people; it may change between releases
	Object  string     `json:"object,omitempty"`  // of the kernel, as 'weft plan' prints it
	Peer    string     `json:"peer,omitempty"`    // the host's name, if it has told one
	Subnet  string     `json:"subnet,omitempty"`  // of the peer or this host; two are joined by a comma
	Subject string     `json:"subject,omitempty"` // of a problem
	Key     string     `json:"key,omitempty"`     // of the network config
	From    string     `json:"from,omitempty"`    // what it was: a path, an address, a subnet, a value
	To      string     `json:"to,omitempty"`      // what it is now
	Error   string     `json:"error,omitempty"`
	More    int        `json:"more,omitempty"` // so many more of the same that are not named
	By      string     `json:"by,omitempty"`   // the process that caused it, "ip[4711]", if the kernel reports it

	Fields map[string]string `json:"fields,omitempty"` // all else
}

// Field returns where e has the value that log lines call name, nil if that is
// among Fields.
func (e *Event) Field(name string) *string {
	switch name {
	case "object":
		return &e.Object
	case "peer":
		return &e.Peer
	case "subnet":
		return &e.Subnet
	case "subject":
		return &e.Subject
	case "key":
		return &e.Key
	case "from":
		return &e.From
	case "to":
		return &e.To
	case "error":
		return &e.Error
	case "by":
		return &e.By
	}
	return nil
}

// Detail is what e has beside its message, in one line of key=value pairs.
func (e Event) Detail() string {
	var b strings.Builder
	add := func(name, value string) {
		if value == "" {
			return
		}
		if strings.ContainsAny(value, " \t\n\"") {
			value = strconv.Quote(value)
		}
		fmt.Fprintf(&b, " %s=%s", name, value)
	}
	for _, name := range []string{"object", "peer", "subnet", "subject", "key", "from", "to"} {
		add(name, *e.Field(name))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		add(name, e.Fields[name])
	}
	if e.More > 0 {
		add("more", strconv.Itoa(e.More))
	}
	add("error", e.Error)
	add("by", e.By)
	return strings.TrimPrefix(b.String(), " ")
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
