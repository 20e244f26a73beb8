package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/persister"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/subnetenv"
)

func TestHostsFindEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := configured(t, vxlanConfig)
		a, b := newFixture(t, st, "10.4.7.21/24"), newFixture(t, st, "10.4.7.22/24")
		a.start()
		a.routes()
		b.start()
		settle(time.Second)
		a.routes(b.subnet())
		b.routes(a.subnet())
		if a.ready != 1 || a.agent.board.Ready() != nil {
			t.Errorf("notified %d times, ready: %v", a.ready, a.agent.board.Ready())
		}
		env, err := subnetenv.Read(a.options().SubnetFile)
		if err != nil || env.Subnets[0] != a.subnet() || env.MTU != 1450 {
			t.Errorf("subnet.env: %+v, %v", env, err)
		}
		b.stop()
		settle(time.Minute)
		a.routes(b.subnet())
		if err := st.Release(t.Context(), []netip.Prefix{b.subnet()}); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		a.routes()
	})
}

func TestRestartKeepsSubnetAndMACAndWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, _ := twoHosts(t)
		subnet, before := a.subnet(), a.world.State().String()
		written := len(a.world.Applied())
		a.stop()
		a.start()
		settle(time.Minute)
		if a.subnet() != subnet || a.world.State().String() != before {
			t.Errorf("%s became %s:\n%s", subnet, a.subnet(), a.world.State())
		}
		if extra := a.world.Applied()[written:]; len(extra) != 0 {
			t.Error("a restart wrote", extra)
		}
	})
}

func TestAddressChangeKeepsTheSubnetAndPeersFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := twoHosts(t)
		subnet := b.subnet()
		b.stop()
		b.addr = netip.MustParsePrefix("10.4.7.99/24")
		b.start()
		settle(time.Second)
		if b.subnet() != subnet {
			t.Errorf("%s became %s", subnet, b.subnet())
		}
		if fdb := a.world.State().FDB.Slice(); len(fdb) != 1 || fdb[0].Dst != b.addr.Addr() {
			t.Error("the peer sends to", fdb)
		}
	})
}

func TestRebootWithoutTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, _ := twoHosts(t)
		settle(time.Minute)
		before := a.world.State().String()
		a.store.Break(errors.New("connection refused"))
		a.reboot()
		a.start()
		settle(time.Minute)
		if after := a.world.State().String(); after != before {
			t.Errorf("rebuilt from the copy:\n%s\nbefore:\n%s", after, before)
		}
		if err := a.agent.board.Ready(); err == nil {
			t.Error("ready without a lease held")
		}
		a.store.Mend()
		settle(time.Minute)
		if err := a.agent.board.Ready(); err != nil {
			t.Error(err)
		}
	})
}

func TestTheFirstCopyIsWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFixture(t, configured(t, vxlanConfig), "10.4.7.21/24")
		a.start() // up to its first plan; no time has passed
		_, mem := persister.Open(a.options().StateFile(), slog.New(slog.DiscardHandler))
		if mem.Self == nil || mem.Self.Subnets[0] != a.subnet() {
			t.Errorf("the copy has the lease %v, the plan %s", mem.Self, a.subnet())
		}
	})
}

func TestDamageOfTheCopyCostsOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := configured(t, vxlanConfig)
		a := newFixture(t, st, "10.4.7.21/24")
		a.start()
		settle(time.Minute)
		subnet := a.subnet()
		a.stop()
		path := a.options().StateFile()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		a.start()
		settle(time.Second)
		if a.subnet() != subnet {
			t.Error("another subnet", a.subnet())
		}
	})
}

func TestBrokenConfigLeavesTheLastGoodOneInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, a, b := twoHosts(t)
		for _, doc := range []string{`{`, `{"Network":"172.7.0.0/30"}`, `{"Network":"172.7.0.0/16","Backend":{"Type":"udp"}}`} {
			if err := st.SetConfig(t.Context(), []byte(doc), store.AnyRevision); err != nil {
				t.Fatal(err)
			}
			settle(time.Second)
			a.routes(b.subnet())
			if err := a.agent.board.Ready(); err == nil || !strings.HasPrefix(err.Error(), "config: ") {
				t.Errorf("%s: ready says %v", doc, err)
			}
		}
	})
}

func TestLostLeaseIsTakenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := configured(t, vxlanConfig)
		a := newFixture(t, st, "10.4.7.21/24")
		a.start()
		settle(time.Second)
		subnet := a.subnet()
		if err := st.Release(t.Context(), []netip.Prefix{subnet}); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		if a.subnet() != subnet || a.agent.board.Ready() != nil {
			t.Error(a.subnet(), a.agent.board.Ready())
		}
	})
}

func TestSecondHostWithTheSameAddressIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := configured(t, vxlanConfig)
		a, twin := newFixture(t, st, "10.4.7.21/24"), newFixture(t, st, "10.4.7.21/24")
		twin.name = "the twin"
		a.start()
		twin.start()
		settle(time.Minute)
		err := twin.agent.board.Ready()
		var taken *lease.AddressTakenError
		if !errors.As(err, &taken) || taken.Holder.Hostname != a.name {
			t.Fatalf("the twin says %v", err)
		}
		if n := len(twin.world.Applied()); n != 0 {
			t.Error("the twin wrote", n, "rows")
		}
		a.stop()
		if err := st.Release(t.Context(), []netip.Prefix{a.subnet()}); err != nil {
			t.Fatal(err)
		}
		settle(time.Minute)
		if err := twin.agent.board.Ready(); err != nil {
			t.Error("after the first is gone:", err)
		}
	})
}

func TestExhaustedNetworkIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := configured(t, `{"Network":"172.7.0.0/24","SubnetLen":26,"Backend":{"Type":"vxlan"}}`)
		var all []*fixture
		for i := range 4 {
			s := newFixture(t, st, fmt.Sprintf("10.4.7.%d/24", 21+i))
			s.start()
			all = append(all, s)
		}
		settle(time.Minute)
		last := all[3]
		if err := last.agent.board.Ready(); !errors.Is(err, store.ErrExhausted) {
			t.Fatal("with three subnets and four hosts:", err)
		}
		all[0].stop()
		if err := st.Release(t.Context(), []netip.Prefix{all[0].subnet()}); err != nil {
			t.Fatal(err)
		}
		settle(time.Minute)
		if err := last.agent.board.Ready(); err != nil {
			t.Error("with one given back:", err)
		}
	})
}

func TestStatusNamesPathsAndProblems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := configured(t, `{"Network":"172.7.0.0/16","SubnetMin":"172.7.100.0","Backend":{"Type":"vxlan","DirectRouting":true}}`)
		a, near, far := newFixture(t, st, "10.4.7.21/24"), newFixture(t, st, "10.4.7.22/24"), newFixture(t, st, "10.4.8.23/24")
		a.start()
		near.start()
		far.start()
		st.Put("subnets/172.7.1.0-24", []byte(`{"PublicIP":"10.4.7.77","BackendType":"udp"}`), time.Hour)
		st.Put("subnets/rubbish", []byte(`{}`), time.Hour)
		settle(time.Second)
		s := a.agent.board.Status()
		kinds := map[netip.Prefix]string{}
		for _, p := range s.Peers {
			kinds[p.Subnets[0]] = p.Paths[0].Kind
		}
		if kinds[near.subnet()] != "direct" || kinds[far.subnet()] != "vxlan" || kinds[netip.MustParsePrefix("172.7.1.0/24")] != "none" {
			t.Error("paths", kinds)
		}
		if len(s.Problems) != 2 || !s.Ready {
			t.Errorf("ready %v, problems %v", s.Ready, s.Problems)
		}
	})
}
