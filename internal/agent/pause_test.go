package agent

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/mailbox"
	"github.com/weft-net/weft/internal/store"
)

// Of leases that change fast several share a pass; the first after a quiet time
// does not wait.
func TestManyChangesShareAPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Hosts pick none of the subnets that the test writes.
		st := configured(t, `{"Network":"172.7.0.0/16","SubnetMax":"172.7.99.0","Backend":{"Type":"vxlan"}}`)
		a := newFixture(t, st, "10.4.7.21/24")
		a.start()
		settle(time.Minute)
		lease := func(i int) {
			st.Put(fmt.Sprintf("subnets/172.7.%d.0-24", 100+i), fmt.Appendf(nil, `{"PublicIP":"10.4.8.%d","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:%02x"}}`, i, i), time.Hour)
			synctest.Wait()
		}
		routes := func() int { return a.world.State().Routes.Len() }
		before := routes()
		lease(0)
		if routes() != before+1 {
			t.Error("the first change waits")
		}
		passes := a.agent.board.Status().Counts.Passes
		const changes = 40
		for i := range changes {
			time.Sleep(updatePause / 5) // of the bubble's clock
			lease(1 + i)
		}
		settle(time.Second)
		if routes() != before+1+changes {
			t.Errorf("%d routes more, want %d", routes()-before, 1+changes)
		}
		if n := a.agent.board.Status().Counts.Passes - passes; n > changes/5+2 {
			t.Errorf("%d passes for %d changes", n, changes)
		}
	})
}

// The store sends each snapshot once, so the news of an outage that comes
// behind one does not displace it.
func TestAnOutageDoesNotDisplaceASnapshot(t *testing.T) {
	a := agent{updates: mailbox.New[store.Update]()}
	a.updated(store.Update{Snapshot: &store.Snapshot{Revision: 7}})
	a.updated(store.Update{Err: errors.New("connection refused")})
	if u := <-a.updates; u.Snapshot == nil || u.Snapshot.Revision != 7 || u.Err == nil {
		t.Errorf("received %+v", u)
	}
}
