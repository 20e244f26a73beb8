package status

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/lease"
)

// Herald tells others in which state an agent is, when that changes. It is safe
// for concurrent use; its fields are set before.
type Herald struct {
	Board     *Board
	Log       *slog.Logger
	Reachable func(error) // called when this host can be reached as announced (nil), or not any more; returns at once; may be nil
	Short     func(Short) // called with the state in a few words; returns at once; may be nil

	mu        sync.Mutex
	reachable *string   // as told last: why not, "" if it is
	short     string    // as told last
	ready     bool      // as seen last
	unready   time.Time // since when it is not; zero: it never was
}

// Short is a state in a few words, for systemd.
type Short struct {
	Text     string // one line
	Stopping bool
}

// hiccup is how long a host may be not ready without a word when it is ready
// again: so long it takes to apply a change of how it is reached.
const hiccup = time.Second

// Tell looks at the board and tells what is new.
func (h *Herald) Tell() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tellReachable(h.Board.Reachable())
	state := h.Board.short()
	if h.Short != nil && state.text != h.short {
		h.short = state.text
		h.Short(Short{Text: state.text})
	}
	now := time.Now()
	switch {
	case state.ready && !h.ready && (h.unready.IsZero() || now.Sub(h.unready) >= hiccup):
		h.Log.Info("ready", event.Attr, string(event.Ready), "subnet", state.subnet)
	case !state.ready && h.ready:
		h.unready = now
	}
	h.ready = state.ready
}

func (h *Herald) tellReachable(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if h.Reachable == nil || h.reachable != nil && *h.reachable == text {
		return
	}
	h.reachable = &text
	h.Reachable(err)
}

// Stopping tells that the agent ends, which stops no traffic.
func (h *Herald) Stopping() {
	const text = "stopping (traffic keeps flowing; 'weft clean' removes everything)"
	h.Log.Info(text, event.Attr, string(event.Stopping))
	if h.Short != nil {
		h.Short(Short{Text: text, Stopping: true})
	}
}

// shortState is what a Herald tells.
type shortState struct {
	ready        bool
	text, subnet string
}

// maxShort is the maximum length of a state in a few words, in bytes.
const maxShort = 200

// short returns the state of the agent at a cost that does not grow with the
// peers.
func (b *Board) short() shortState {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.ready(); err != nil {
		return shortState{text: oneLine("not ready: " + err.Error())}
	}
	self := b.view.Input.Self // there is a plan, or it would not be ready
	s := shortState{ready: true, subnet: lease.FormatSubnets(self.Subnets)}
	if w := b.warning(); w != "" {
		s.text = oneLine("degraded: " + w)
		return s
	}
	s.text = oneLine("ready: " + s.subnet + " at " + lease.FormatAddrs(self.Public) + ", " + self.Backend)
	return s
}

// oneLine is the first line of text, not too long.
func oneLine(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	if len(text) > maxShort {
		text = strings.ToValidUTF8(text[:maxShort], "") + "..."
	}
	return text
}

// Warning implements api.Agent.
func (b *Board) Warning() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.warning()
}

// warning returns a problem for which packets can be lost, "" if none is known.
// It wants b.mu held.
func (b *Board) warning() string {
	for f := range b.findings() {
		if f.severity == api.SeverityWarning {
			return f.subject + ": " + f.err.Error()
		}
	}
	return ""
}
