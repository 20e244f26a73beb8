package agent

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestALongOutageCostsNothingAndIsCaughtUpInOnePass takes the store away for
// six hours in which the network changes.
func TestALongOutageCostsNothingAndIsCaughtUpInOnePass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hours, joined = 6, 40
		st := configured(t, `{"Network":"172.7.0.0/16","SubnetMin":"172.7.100.0","Backend":{"Type":"vxlan"}}`)
		a, b := newFixture(t, st, "10.4.7.21/24"), newFixture(t, st, "10.4.7.22/24")
		a.start()
		b.start()
		settle(time.Minute)
		before, written, said := a.agent.board.Status(), len(a.world.Applied()), len(a.agent.board.Events(0))

		a.store.Break(errors.New("connection refused"))
		for i := range joined {
			settle(hours * time.Hour / joined)
			value := fmt.Sprintf(`{"PublicIP":"10.4.8.%d","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:01:%02x"}}`, i, i)
			st.Put(fmt.Sprintf("subnets/172.7.%d.0-24", 1+i), []byte(value), 24*time.Hour)
		}
		away := a.agent.board.Status()
		if n := len(a.world.Applied()) - written; n != 0 {
			t.Errorf("%d rows were written during the outage", n)
		}
		if n, resyncs := away.Counts.Passes-before.Counts.Passes, int(hours*time.Hour/DefaultResync); n > resyncs+1 {
			t.Errorf("%d passes in %d hours of outage, want no more than the %d of the slow resync", n, hours, resyncs)
		}
		if n := len(a.agent.board.Events(0)) - said; n > 2 {
			t.Errorf("%d events in the journal of one outage: %+v", n, a.agent.board.Events(0)[said:])
		}

		changed := a.logged("applied the plan")
		a.store.Mend()
		settle(time.Minute)
		if n := a.logged("applied the plan") - changed; n != 1 {
			t.Errorf("caught up in %d passes", n)
		}
		if n := a.world.State().Routes.Len(); n != joined+1 {
			t.Errorf("%d routes to %d peers", n, joined+1)
		}
	})
}
