package api_test

import (
	"net/netip"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/netstate"
)

// twin is an agent whose answers a test sets.
type twin struct {
	mu     sync.Mutex
	status api.Status
	plan   *netstate.State
	ready  error
	warns  string
}

func (a *twin) set(change func(*twin)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(a)
}

func (a *twin) Status() api.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status
}

func (a *twin) Plan() *netstate.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.plan
}

func (a *twin) Warning() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.warns
}

func (a *twin) Paths() []api.PeerPath { return nil }

func (a *twin) Events(after int64) []api.Event {
	all := []api.Event{{Number: 1, Level: "info", Message: "lease held"}, {Number: 2, Level: "warn", Message: "a row was removed"}}
	return all[min(int(after), len(all)):]
}

func (a *twin) Ready() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ready
}

// sample is a status with something in every field that is shown.
func sample() api.Status {
	subnet := netip.MustParsePrefix("10.5.2.0/24")
	return api.Status{
		Version: "v1", Started: time.Unix(1000, 0).UTC(), Hostname: "one",
		Network: []netip.Prefix{netip.MustParsePrefix("10.5.0.0/16")}, Backend: "vxlan", Revision: 7,
		Uplink: api.Uplink{Name: "eth0", MTU: 1500, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Reason: "default route"},
		Lease:  api.Lease{Subnets: []netip.Prefix{netip.MustParsePrefix("10.5.1.0/24")}, MTU: 1450, Held: true},
		Peers: []api.Peer{{
			Subnets: []netip.Prefix{subnet}, Public: []netip.Addr{netip.MustParseAddr("192.0.2.2")}, Backend: "vxlan",
			Paths: []api.Path{{Subnet: subnet, Kind: "direct", Via: netip.MustParseAddr("192.0.2.2"), Dev: "eth0"}},
		}},
		Problems: []api.Problem{{Subject: "10.5.3.0/24", Message: "overlaps"}},
		Store:    api.StoreState{Kind: "etcd", Up: true, Since: time.Unix(1000, 0).UTC()},
		Pass:     api.Pass{At: time.Unix(2000, 0).UTC(), Took: 3 * time.Millisecond, Rows: 5, Changed: 2, Failed: 1},
		Counts:   api.Counts{Passes: 9, Failures: 1, Ops: map[string]int{"add route": 4}, Repairs: map[string]int{"add route": 2}, Drift: map[string]int{"removed route": 3}},
		Ready:    true,
	}
}
