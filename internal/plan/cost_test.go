package plan

import (
	"net/netip"
	"testing"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
)

// The work for one peer's change is the same among many peers as among few,
// also while a stray lease claims a great part of the network.
func TestOneChangeCostsTheSameAmongMany(t *testing.T) {
	cost := func(n int, subnet, wide string) (join, other float64) {
		in := crowd(t, n)
		if wide != "" {
			in.Peers = in.Peers.With(lease.Lease{Subnets: []netip.Prefix{netip.MustParsePrefix(wide)}, Attrs: in.Self.Attrs})
		}
		someone := []netip.Prefix{netip.MustParsePrefix(subnet)}
		less, changed := in, in
		less.Peers = in.Peers.Without(lease.At(someone))
		l, _ := in.Peers.Find(lease.At(someone))
		l.Public = []netip.Addr{netip.MustParseAddr("192.168.255.1")}
		changed.Peers = in.Peers.With(l)
		var p Planner
		p.Update(in)
		p.Update(less)
		join = testing.AllocsPerRun(20, func() {
			p.Update(in)
			p.Update(less)
		})
		p.Update(in)
		other = testing.AllocsPerRun(20, func() {
			p.Update(changed)
			p.Update(in)
		})
		return join, other
	}
	for _, c := range []struct{ few, many [2]string }{
		{[2]string{"10.0.80.0/24", ""}, [2]string{"10.0.80.0/24", ""}},
		{[2]string{"10.0.80.0/24", "10.0.64.0/18"}, [2]string{"10.70.80.0/24", "10.64.0.0/10"}}, // of 37 peers and of 13,616
	} {
		fewJoin, fewChanged := cost(100, c.few[0], c.few[1])
		manyJoin, manyChanged := cost(30_000, c.many[0], c.many[1])
		t.Logf("wide lease %q: join and leave %v allocations among 100 peers, %v among 30,000; a new address and back %v and %v",
			c.many[1], fewJoin, manyJoin, fewChanged, manyChanged)
		if manyJoin > fewJoin+16 || manyChanged > fewChanged+16 {
			t.Error("the number of peers shows in the cost of one")
		}
	}
}

// An unchanged input costs no look at the peers, and gives the same plan.
func TestUpdateOfNothingIsTheLastPlan(t *testing.T) {
	in := crowd(t, 100)
	var p Planner
	first, _ := p.Update(in)
	for l := range in.Peers.All() {
		l.TTL++ // renewed
		in.Peers = in.Peers.With(l)
		break
	}
	in.Self.TTL++
	if again, problems := p.Update(in); again != first || len(problems) != 0 {
		t.Error("a lease that was renewed made another plan", problems)
	}
}

// contradictory is an input for which no state can be made: the uplink has the
// name of the tunnel device, and one parameter two values.
func contradictory(t *testing.T) Input {
	net, err := netconf.Parse([]byte(`{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00::/16"}`))
	if err != nil {
		t.Fatal(err)
	}
	tr := newTrace(t, `{"Type":"vxlan"}`, []netconf.Family{netconf.V6})
	in := tr.in
	in.Net, in.Peers = net, lease.SetOf(tr.good(3))
	in.Host.Uplink.Name, in.Host.Adverts = "flannel-v6.1", []string{"flannel-v6.1"}
	return in
}

// An empty state would be applied like 'weft clean'.
func TestContradictionYieldsNoState(t *testing.T) {
	in := contradictory(t)
	var p Planner
	for range 2 {
		for name, build := range map[string]func(Input) bool{
			"Build":  func(in Input) bool { s, problems := Build(in); return s == nil && lastAbout(problems, "plan") },
			"Update": func(in Input) bool { s, problems := p.Update(in); return s == nil && lastAbout(problems, "plan") },
		} {
			if !build(in) {
				t.Errorf("%s makes a state of a contradiction, or does not say so", name)
			}
		}
		in.Peers = lease.Set{} // nothing to go on from
	}
	in.Host.Uplink.Name, in.Host.Adverts = "eth0", nil
	if s, problems := p.Update(in); s == nil || s.Len() == 0 || len(problems) != 0 {
		t.Errorf("no plan after the contradiction is gone: %v", problems)
	}
}

func lastAbout(problems []Problem, subject string) bool {
	return len(problems) > 0 && problems[len(problems)-1].Subject == subject
}
