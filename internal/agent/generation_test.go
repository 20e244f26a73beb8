package agent

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/subnetenv"
)

// deviceOf returns the tunnel device that the agent of s wants.
func deviceOf(s *fixture) netstate.Link {
	s.t.Helper()
	for l := range s.agent.board.Plan().Links.All() {
		return l
	}
	s.t.Fatal("the plan has no device")
	return netstate.Link{}
}

// TestNothingIsSaidBeforeTheHostCanBeReached lets the tunnel device fail, as
// without the module or with the port in use.
func TestNothingIsSaidBeforeTheHostCanBeReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := configured(t, vxlanConfig)
		probe := newFixture(t, st, "10.4.7.21/24")
		probe.start() // to learn which device it will be
		device := deviceOf(probe)
		probe.stop()
		if err := os.Remove(probe.options().SubnetFile); err != nil {
			t.Fatal(err)
		}
		probe.reboot()
		probe.ready = 0
		probe.world.Fail(device, syscall.EADDRINUSE)
		probe.start()
		settle(time.Hour)
		if probe.ready != 0 || probe.agent.board.Ready() == nil || probe.reached != "no" {
			t.Errorf("notified %d times, ready: %v, reachable: %s", probe.ready, probe.agent.board.Ready(), probe.reached)
		}
		if _, err := os.Stat(probe.options().SubnetFile); err == nil {
			t.Error("subnet.env is there")
		}
		// Its lease was announced before, so it is held all the same.
		if s := probe.agent.board.Status(); !s.Lease.Held {
			t.Error("the lease is not renewed since the device fails")
		}
		probe.world.Fail(device, nil)
		settle(time.Minute)
		if probe.ready != 1 || probe.agent.board.Ready() != nil || probe.reached != "yes" {
			t.Errorf("with the device: notified %d times, ready: %v, reachable: %s", probe.ready, probe.agent.board.Ready(), probe.reached)
		}
	})
}

// TestAnnouncingDoesNotWaitForAQuietNetwork changes the backend while leases
// change all the time.
func TestAnnouncingDoesNotWaitForAQuietNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const doc = `{"Network":"172.7.0.0/16","SubnetMax":"172.7.99.0","Backend":{"Type":"vxlan","VNI":%d}}`
		st := configured(t, fmt.Sprintf(doc, 1))
		a := newFixture(t, st, "10.4.7.21/24")
		a.start()
		settle(time.Second)
		put(t, st, fmt.Sprintf(doc, 2))
		for i := range 300 {
			key := fmt.Sprintf("subnets/172.7.%d.0-24", 200+i%40)
			st.Put(key, fmt.Appendf(nil, `{"PublicIP":"10.4.9.%d","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:01:%02x"}}`, i%200, i%256), time.Hour)
			time.Sleep(10 * time.Millisecond) // of the bubble's clock
		}
		snap, err := st.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for l := range snap.Leases.All() {
			if l.Subnets[0] == a.subnet() && !strings.Contains(fmt.Sprintf("%s", l.Data), `"VNI":2`) {
				t.Errorf("%s announces still %s", a.name, l.Data)
			}
		}
	})
}

// TestTheSubnetFileSaysWhatIsApplied changes the network while the kernel
// takes no changes.
func TestTheSubnetFileSaysWhatIsApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, a, _ := twoHosts(t)
		before := a.subnet()
		a.world.FailAll(errors.New("out of memory"))
		put(t, st, otherNetwork)
		settle(time.Minute)
		env, err := subnetenv.Read(a.options().SubnetFile)
		if err != nil || env.Subnets[0] != before {
			t.Errorf("subnet.env has %v although the kernel carries %s: %v", env.Subnets, before, err)
		}
		a.world.FailAll(nil)
		settle(time.Minute)
		if env, err = subnetenv.Read(a.options().SubnetFile); err != nil || env.Subnets[0] != a.subnet() || a.subnet() == before {
			t.Errorf("subnet.env has %v, the plan %s: %v", env.Subnets, a.subnet(), err)
		}
	})
}

// TestAPeersLeaseIsCopiedSoon lets a host lose its power shortly after a peer
// has joined, with the store away when it comes back.
func TestAPeersLeaseIsCopiedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := configured(t, vxlanConfig)
		a, b := newFixture(t, st, "10.4.7.21/24"), newFixture(t, st, "10.4.7.22/24")
		a.start()
		settle(time.Minute)
		b.start()
		settle(300 * time.Millisecond)
		a.losePower()
		a.store.Break(errors.New("connection refused"))
		a.start()
		a.routes(b.subnet()) // at once, without waiting for the store
	})
}

// TestASecondAgentMakesNoIdentity starts two agents in one state directory.
func TestASecondAgentMakesNoIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFixture(t, configured(t, vxlanConfig), "10.4.7.21/24")
		a.start()
		before, err := os.ReadFile(a.options().StateDir + "/identity.json")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := prepare(a.options()); err == nil || !strings.Contains(err.Error(), "another agent") {
			t.Errorf("a second agent: %v", err)
		}
		if after, err := os.ReadFile(a.options().StateDir + "/identity.json"); err != nil || string(after) != string(before) {
			t.Errorf("the identity was %s and is %s, %v", before, after, err)
		}
	})
}
