package agent

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
)

// counted notes what a store is asked for.
type counted struct {
	store.Store
	mu        sync.Mutex
	acquired  int
	preferred int // the most subnets in one claim
}

func (c *counted) Acquire(ctx context.Context, net netconf.Network, claim lease.Claim) (lease.Lease, error) {
	c.mu.Lock()
	c.acquired++
	c.preferred = max(c.preferred, len(claim.Preferred))
	c.mu.Unlock()
	return c.Store.Acquire(ctx, net, claim)
}

// TestALeaseThatIsLostAgainAndAgainIsAcquiredAfterPauses deletes a lease as
// often as it is there.
func TestALeaseThatIsLostAgainAndAgainIsAcquiredAfterPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := configured(t, vxlanConfig)
		a := newFixture(t, st, "10.4.7.21/24")
		c := &counted{Store: a.store}
		a.through = c
		a.start()
		settle(time.Second)
		for range 6000 { // ten minutes
			_ = st.Release(t.Context(), []netip.Prefix{a.subnet()}) // mostly there is none
			time.Sleep(100 * time.Millisecond)                      // of the bubble's clock
		}
		synctest.Wait()
		if c.acquired < 20 || c.acquired > 200 || c.preferred > 3 {
			t.Errorf("acquired %d times in ten minutes, with up to %d preferred subnets", c.acquired, c.preferred)
		}
	})
}

// TestABusyHealthPortLeavesNothingBehind has another program on the port.
func TestABusyHealthPortLeavesNothingBehind(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	a := newFixture(t, configured(t, vxlanConfig), "10.4.7.21/24")
	o := a.options()
	o.RunDir = t.TempDir()
	o.HealthAddr = netip.MustParseAddrPort(ln.Addr().String())
	for range 2 { // a second try finds nothing of the first
		if err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), ln.Addr().String()) {
			t.Errorf("with the health port in use: %v", err)
		}
	}
	if left, err := os.ReadDir(o.RunDir); err != nil || len(left) > 1 { // the socket's lock may stay
		t.Errorf("left in the run directory: %v, %v", left, err)
	}
}
