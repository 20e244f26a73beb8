package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// A fault that lasts is reported once, and one that flaps from time to time.
const (
	standing = 30 * time.Second // the age at which a fault becomes an Event
	between  = 10 * time.Minute // the least time between two Events about one part
)

// troubles are the present faults of this host, by the part that has them.
type troubles struct {
	mu     *sync.Mutex
	faults map[string]fault
	last   map[string]time.Time // when the last Event about a part was created
	wake   chan struct{}
}

type fault struct {
	text     string
	since    time.Time
	reported bool
}

func newTroubles() troubles {
	return troubles{mu: &sync.Mutex{}, faults: map[string]fault{}, last: map[string]time.Time{}, wake: make(chan struct{}, 1)}
}

// Trouble records that a part of this host's agent has a fault, or with nil that
// it has none any more. A fault that lasts becomes an Event of the node. Trouble
// returns at once.
func (s *Store) Trouble(part string, err error) { s.trouble.set(part, err, time.Now()) }

func (t *troubles) set(part string, err error, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		delete(t.faults, part)
		return
	}
	f, stands := t.faults[part]
	if stands && f.text == err.Error() {
		return
	}
	if !stands {
		f.since = now
	}
	f.text, f.reported = err.Error(), false // another text does not make it younger
	t.faults[part] = f
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// due returns a fault to be reported now, if there is one, and the delay until
// the next one is due, 0 if none is waiting.
func (t *troubles) due(now time.Time) (part, text string, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, f := range t.faults {
		if f.reported {
			continue
		}
		at := f.since.Add(standing)
		if last := t.last[name]; !last.IsZero() && at.Before(last.Add(between)) {
			at = last.Add(between)
		}
		left := at.Sub(now)
		if left <= 0 {
			f.reported = true
			t.faults[name], t.last[name] = f, now
			return name, f.text, 0
		}
		if wait == 0 || left < wait {
			wait = left
		}
	}
	return "", "", wait
}

// runEvents creates Events for faults until ctx ends, or the API server forbids
// it: flannel's ClusterRole does not allow it.
func (s *Store) runEvents(ctx context.Context) {
	for ctx.Err() == nil {
		part, text, wait := s.trouble.due(time.Now())
		if part != "" {
			err := s.createEvent(ctx, part, text)
			if apierrors.IsForbidden(err) {
				s.log.Info("faults do not become Events of the node: the ClusterRole does not allow to create events", "error", err)
				return
			}
			if err != nil {
				s.log.Debug("cannot create an Event", "error", err)
			}
			continue
		}
		timer := time.NewTimer(max(wait, time.Millisecond))
		if wait == 0 {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
		case <-s.trouble.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// reference is an ObjectReference. Events about nodes carry the node's name
// for its UID, as the kubelet's do.
type reference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
}

// nodeEvent is an Event as it is written.
type nodeEvent struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	About     reference         `json:"involvedObject"`
	Reason    string            `json:"reason"`
	Message   string            `json:"message"`
	Type      string            `json:"type"`
	Source    map[string]string `json:"source"`
	Component string            `json:"reportingComponent"`
	Instance  string            `json:"reportingInstance"`
	First     time.Time         `json:"firstTimestamp"`
	Last      time.Time         `json:"lastTimestamp"`
	Count     int               `json:"count"`
}

// eventSpace is the namespace of Events about nodes, which have none.
const eventSpace = "default"

// createEvent creates an Event about this host's node.
func (s *Store) createEvent(ctx context.Context, part, text string) error {
	name, err := s.ownName(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	e := nodeEvent{
		APIVersion: "v1", Kind: "Event", Type: "Warning", Reason: reasonOf(part), Message: shortened(text),
		About:  reference{"v1", "Node", name, name},
		Source: map[string]string{"component": "weft", "host": name}, Component: "weft", Instance: name,
		First: now.UTC().Truncate(time.Second), Last: now.UTC().Truncate(time.Second), Count: 1,
	}
	e.Metadata.Name, e.Metadata.Namespace = fmt.Sprintf("%.200s.%x", name, now.UnixNano()), eventSpace
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = s.raw(ctx, "creating an Event of node "+name, s.rest.Post().Namespace(eventSpace).Resource("events").Body(body))
	return err
}

// reasonOf is an Event's reason: one word in camel case, "WeftSubnetFile".
func reasonOf(part string) string {
	out := "Weft"
	for word := range strings.FieldsSeq(part) {
		out += strings.ToUpper(word[:1]) + word[1:]
	}
	return out
}

// maxMessage is the length of the longest message of an Event, in bytes.
const maxMessage = 1024

func shortened(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage-3], "") + "..."
}
