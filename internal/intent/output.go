package intent

import (
	"fmt"
	"strings"
	"time"

	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/subnetenv"
)

// Output is what a step asks for. It is to be carried out in the order of the
// fields: what is remembered must be on disk before it is announced.
type Output struct {
	Messages []Message      // for the log and `weft events`
	Lock     *Locks         // take these, answer with LocksTaken; nil: as before
	Observe  *HostQuery     // find out the host's facts, answer with HostObserved; nil: no need
	Redial   bool           // drop the store's connections: this host's address has changed
	Persist  *Persisted     // remember this, but for the leases; nil: as before
	Desired  *Desired       // make the kernel equal to it; nil: as before
	Env      *subnetenv.Env // write subnet.env: the kernel now carries this; nil: as before
	Request  *LeaseRequest  // ask for this lease; nil: as before
	KeepKey  netstate.WGKey // keep the private key of this public one alone: peers know it; zero: as before
	Wake     time.Duration  // delay until a Tick is needed; 0 if only an event should trigger it
}

// Desired is a network state that the kernel should have.
type Desired struct {
	Generation uint64
	State      *netstate.State
	Scope      netstate.Scope
	Shared     []netconf.PSK // the preshared keys that State names by fingerprint
	Peers      int           // leases of other hosts that the state goes by
	KeepStale  bool          // goes by a copy of the snapshot: what stands may be newer, so nothing of it is removed
}

// LeaseRequest is what to ask the store for.
type LeaseRequest struct {
	Net netconf.Network
	lease.Claim
}

// Severity is that of a Message.
type Severity int

// Severities of messages.
const (
	Info Severity = iota
	Warn
	Error
)

// Message is a line for the log.
type Message struct {
	Severity Severity
	Kind     event.Kind
	Text     string
	Attrs    []any // key, value, key, value, as in package slog
}

// String is the message in one line.
func (m Message) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %s", [...]string{"info", "warn", "error"}[m.Severity], m.Kind, m.Text)
	for i := 0; i+1 < len(m.Attrs); i += 2 {
		fmt.Fprintf(&b, " %v=%v", m.Attrs[i], m.Attrs[i+1])
	}
	return b.String()
}

// String lists what is asked for, a line each; for traces.
func (o Output) String() string {
	var b strings.Builder
	for _, m := range o.Messages {
		fmt.Fprintln(&b, m)
	}
	if o.Lock != nil {
		fmt.Fprintf(&b, "lock: networks %v devices %v table %s\n", o.Lock.Networks, o.Lock.Devices, o.Lock.Table)
	}
	if o.Observe != nil {
		fast := flag(o.Observe.Options.FastPath == netconf.Yes, " fast path", "")
		fmt.Fprintf(&b, "observe: public %v networks %v devices %v%s\n", o.Observe.Options.Public, o.Observe.Networks, o.Observe.Devices, fast)
	}
	if o.Redial {
		fmt.Fprintln(&b, "redial")
	}
	if o.Persist != nil {
		fmt.Fprint(&b, "persist:\n", o.Persist)
	}
	if o.Desired != nil {
		fmt.Fprintf(&b, "desired: generation %d peers %d%s\n%s", o.Desired.Generation, o.Desired.Peers, flag(o.Desired.KeepStale, " keep stale", ""), o.Desired.State)
	}
	if o.Env != nil {
		fmt.Fprintf(&b, "subnet.env:\n%s", o.Env.Format())
	}
	if o.Request != nil {
		fmt.Fprintf(&b, "request: %v backend %s public %v preferred %v\n", o.Request.Net.Prefixes(), o.Request.Backend, o.Request.Public, o.Request.Preferred)
	}
	if !o.KeepKey.IsZero() {
		fmt.Fprintf(&b, "keep key: %s\n", o.KeepKey)
	}
	if o.Wake > 0 {
		fmt.Fprintf(&b, "wake: in %s\n", o.Wake)
	}
	return b.String()
}

func flag(set bool, yes, no string) string {
	if set {
		return yes
	}
	return no
}
