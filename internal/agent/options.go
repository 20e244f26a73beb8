package agent

import (
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/plan/firewall"
	"github.com/weft-net/weft/internal/reconcile"
	"github.com/weft-net/weft/internal/store"
)

// Options is everything an agent is told from outside.
type Options struct {
	Store     store.Store
	StoreKind string // for status: "etcd", "embedded", "kubernetes"
	Kernel    reconcile.Kernel
	Source    host.Source
	Claim     func(name string) (io.Closer, error) // makes a device or network this agent's on the host; nil: no other agent can be here

	Uplink       host.Options
	SubnetFile   string        // path of subnet.env
	StateDir     string        // identity, copy of the last snapshot; kept over reboots
	RunDir       string        // API socket
	RenewMargin  time.Duration // the lease is renewed this long before it ends
	Firewall     firewall.Options
	Linger       time.Duration                // how long a vanished lease is gone by; 0: where not the hosts themselves, but the store says who is there
	Resync       time.Duration                // slow full look at the kernel; 0: DefaultResync
	HealthAddr   netip.AddrPort               // /healthz, /readyz and /metrics; port 0: off
	Metrics      api.Metrics                  // which of them clients on other hosts can read
	Notify       func()                       // called once, when the first plan is applied; may be nil
	Assigned     bool                         // the store's system assigns subnets: the config's lengths and bounds of them mean nothing
	Trouble      func(part string, err error) // called when a part has a fault, or with nil none; returns at once; may be nil
	Requests     func() map[string]int        // what the store has been asked for, by verb; may be nil
	Hostname     string                       // name in messages to other operators; "": the system's
	ConfigAdvice string                       // how an operator puts a network config in place; "": with 'weft config set'
	Version      string
	Log          *slog.Logger
}

// configAdvice is how an operator puts a network config in place.
func (o Options) configAdvice() string {
	if o.ConfigAdvice == "" {
		return "write one with 'weft config set'"
	}
	return o.ConfigAdvice
}

// DefaultResync is the period of the slow full resync. Events tell of nearly
// everything sooner.
const DefaultResync = 2 * time.Minute
