package agent

import (
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/intent"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/peerapi"
	"github.com/weft-net/weft/internal/plan/firewall"
	"github.com/weft-net/weft/internal/prober"
	"github.com/weft-net/weft/internal/reconcile"
	"github.com/weft-net/weft/internal/status"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/subnetenv"
	"github.com/weft-net/weft/internal/wgkey"
)

// Options is everything an agent is told from outside.
type Options struct {
	Store     store.Store
	StoreKind string // for status: "etcd", "embedded", "kubernetes"
	Kernel    reconcile.Kernel
	Source    host.Source
	Wire      func() (prober.Wire, error) // opens what paths are probed by; nil: they are not
	FastPath  status.FastCounter          // reads what became of packets on the fast path; nil: nothing does
	Count     status.Counter              // reads what rules of ours have counted; nil: nothing does
	UserSpace func(device string) bool    // whether a process in user space carries a WireGuard device; may be nil
	Check     peerapi.Check               // what agents of other hosts may have checked; nil: nothing
	LockDir   string                      // where the agents of this host note what they use; "": there can be no other

	Keys         *wgkey.Ring // this host's, and preshared ones; nil: it cannot encrypt
	Uplink       host.Options
	SubnetFile   string        // path of subnet.env
	StateDir     string        // identity, copy of the last snapshot; kept over reboots
	RunDir       string        // API socket
	RenewMargin  time.Duration // the lease is renewed this long before it ends
	Firewall     firewall.Options
	Grace        time.Duration                // how long a vanished lease is kept; 0: where not the hosts themselves, but the store says who is there
	Resync       time.Duration                // slow full look at the kernel; 0: DefaultResync
	HealthAddr   netip.AddrPort               // /healthz, /readyz and /metrics; port 0: off
	Metrics      api.Metrics                  // which of them clients on other hosts can read
	Notify       func()                       // called once, when this host can be reached; may be nil
	Reachable    func(error)                  // called when this host can be reached as announced (nil), or not any more; returns at once; may be nil
	Short        func(status.Short)           // called when the state in a few words changes, and when the agent stops; returns at once; may be nil
	Assigned     bool                         // the store's system assigns subnets: the config's lengths and bounds of them mean nothing
	Trouble      func(part string, err error) // called when a part has a fault or a subject a problem, or with nil none; returns at once; may be nil
	Requests     func() map[string]int        // what the store has been asked for, by verb; may be nil
	Hostname     string                       // name in messages to other operators; "": the system's
	ConfigAdvice string                       // how an operator puts a network config in place; "": with 'weft config set'
	Version      string
	Events       *status.Events // that Log keeps, for `weft events`
	Log          *slog.Logger
}

// DefaultResync is the period of the slow full resync. Events tell of nearly
// everything sooner.
const DefaultResync = 2 * time.Minute

// DefaultGrace is how long a lease that has vanished from a store is kept
// where hosts register themselves. A host whose lease was deleted by mistake
// has it again within a fraction of that, and nobody's packets to it are lost
// meanwhile; one that is gone for good is forgotten soon enough.
const DefaultGrace = 3 * time.Second

// IntentOptions is what the steps are told once.
func (o Options) IntentOptions(owner lease.Owner) intent.Options {
	env, _ := subnetenv.Read(o.SubnetFile) // none is no fault
	advice := o.ConfigAdvice
	if advice == "" {
		advice = "write one with 'weft config set'"
	}
	return intent.Options{
		Owner: owner, Key: o.Keys.Public(), NextKey: o.Keys.Next(), Version: o.Version, Uplink: o.Uplink, Firewall: o.Firewall, Grace: o.Grace,
		Assigned: o.Assigned, Preferred: env.Subnets, ConfigAdvice: advice,
	}
}

// EventsFile is the path of the events that outlive a restart.
func (o Options) EventsFile() string { return filepath.Join(o.StateDir, status.HistoryName) }

// StateFile is the path of what the agent remembers over restarts.
func (o Options) StateFile() string { return filepath.Join(o.StateDir, "state.records") }
