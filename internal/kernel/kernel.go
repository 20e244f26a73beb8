package kernel

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weft-net/weft/internal/kernel/fastpath"
	"github.com/weft-net/weft/internal/kernel/nft"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/kernel/xtables"
	"github.com/weft-net/weft/internal/netstate"
)

// Kernel is the network of one network namespace: that of the thread that
// called New. Its methods may be called from any goroutine.
type Kernel struct {
	log *slog.Logger
	ns  namespace
	nft *nft.Conn

	counters *nft.Conn // by which these are read whatever else is being read or written

	legacy *legacy
	fast   *fastpath.Conn
	wg     WireGuard
	ends   endpoints

	carried sync.Map // names of WireGuard devices: whether a process in user space carries each

	mu   sync.Mutex // guards what follows: one request at a time; nothing slow is done under it
	conn *rtnl.Conn
	hops nexthops
	last sizes

	view atomic.Pointer[view] // what Watch reports
	near atomic.Pointer[near] // what the last Routes said about hosts
}

// sizes are the numbers of rows that the last Observe found, as a hint for
// the next.
type sizes struct{ routes, neighs, fdb int }

// view is what Apply and Watch know of the scope that was last observed. It is
// replaced, never changed.
type view struct {
	scope netstate.Scope
	own   map[int32]string // our devices by index
}

// owns reports whether name is that of one of our devices, there or not.
func (v *view) owns(name string) bool {
	return slices.Contains(v.scope.Links, name)
}

// New opens the kernel's network as the calling thread sees it. Reading works
// without privileges; writing needs CAP_NET_ADMIN in that network namespace.
func New(log *slog.Logger) (*Kernel, error) {
	ns, err := openNamespace()
	if err != nil {
		return nil, err
	}
	k := &Kernel{log: log, ns: ns, legacy: newLegacy(log, xtables.New(ns.do)), fast: fastpath.Open(ns.do)}
	if err := ns.do(k.open); err != nil {
		return nil, errors.Join(fmt.Errorf("reach the kernel's network: %w", err), ns.close())
	}
	k.view.Store(&view{})
	k.near.Store(&near{})
	return k, nil
}

// SetPatience sets how long a call waits for the iptables-legacy program, two
// seconds unless it is set. A command that runs once can wait longer than the
// loop, which has other objects to keep. It must not be called while another
// method runs.
func (k *Kernel) SetPatience(d time.Duration) { k.legacy.aside.patience = d }

// open opens the sockets in the calling thread's namespace.
func (k *Kernel) open() (err error) {
	if k.conn, err = rtnl.Open(); err != nil {
		return err
	}
	if k.nft, err = nft.Open(k.log); err != nil {
		return errors.Join(err, k.conn.Close())
	}
	if k.counters, err = nft.Open(k.log); err != nil {
		return errors.Join(err, k.conn.Close(), k.nft.Close())
	}
	return nil
}

// Close releases the sockets. It must not be called while another method runs.
// A program that runs is ended.
func (k *Kernel) Close() error {
	k.legacy.close()
	return errors.Join(k.nft.Close(), k.counters.Close(), k.conn.Close(), k.ns.close())
}
