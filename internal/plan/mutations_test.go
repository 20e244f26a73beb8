package plan_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/plan/vxlan"
	"github.com/weft-net/weft/internal/store/view"
)

// TestTenThousandMutationsOfAStore damages keys and values of a good network at
// random, reads them as a store does, and plans: nothing panics, and whatever
// becomes of the damaged leases, nobody else's packets go another way.
func TestTenThousandMutationsOfAStore(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 10))
	hurt := 0
	for i := range 10_000 {
		backend := []string{`{"Type":"vxlan"}`, `{"Type":"vxlan","DirectRouting":true}`, `{"Type":"host-gw"}`}[i%3]
		in, items := hamlet(t, backend)
		want, problems := plan.Build(fill(in, items))
		if len(problems) != 0 {
			t.Fatal(problems)
		}
		damaged := slices.Clone(items)
		broken := map[int]bool{}
		for _, k := range rng.Perm(len(items))[:1+rng.IntN(3)] {
			damaged[k] = mutate(rng, damaged[k], items)
			broken[k] = true
		}
		damaged = slices.DeleteFunc(damaged, func(it view.Item) bool { // one key holds one value
			k := slices.IndexFunc(items, func(o view.Item) bool { return o.Key == it.Key })
			return k >= 0 && !broken[k] && string(items[k].Value) != string(it.Value)
		})
		got, problems := plan.Build(fill(in, damaged))
		if len(problems) > 0 {
			hurt++
		}
		for k, it := range items {
			former := k == len(items)-1 // if its host's present lease tells another address, which one lies?
			if !broken[k] && !(former && broken[0]) {
				unharmed(t, it, want, got)
			}
		}
	}
	if hurt < 3000 {
		t.Errorf("only %d of 10000 mutations were a problem to anybody", hurt)
	}
}

// unharmed demands that packets to the subnet of a lease go where they went.
func unharmed(t *testing.T, it view.Item, want, got *netstate.State) {
	t.Helper()
	subnets, err := lease.ParseKey(it.Key[len(view.Subnets):])
	if err != nil {
		t.Fatal(err)
	}
	route, _ := want.Routes.Find(netstate.Route{Dst: subnets[0]})
	neigh, tunnelled := want.Neighs.Find(netstate.Neigh{Addr: subnets[0].Addr(), Dev: "flannel.1"})
	rows := []netstate.Row{route}
	if tunnelled {
		fdb, _ := want.FDB.Find(netstate.FDB{MAC: neigh.MAC, Dev: "flannel.1"})
		rows = append(rows, neigh, fdb)
	}
	for _, row := range rows {
		if got.Find(row) != row {
			t.Fatalf("%s is gone or otherwise:\n%s", row, got)
		}
	}
	for _, r := range got.Routes.Slice() {
		if r != route && r.Dst.Overlaps(route.Dst) {
			t.Fatalf("%s takes packets from %s", r, route)
		}
	}
}

// hamlet is a network of a few hosts on one segment, without its peers, and
// the peers as they are stored. One of them has a former lease in a former
// network.
func hamlet(t *testing.T, backend string) (plan.Input, []view.Item) {
	net, err := netconf.Parse([]byte(`{"Network":"172.7.0.0/16","Backend":` + backend + `}`))
	if err != nil {
		t.Fatal(err)
	}
	in := plan.Input{Net: net, Previous: []netconf.Previous{{Network: netip.MustParsePrefix("10.9.0.0/16"), SubnetLen: 24}}}
	in.Host = host.Facts{Uplink: host.Uplink{
		Name: "eth0", MTU: 1500,
		Addrs:  []netip.Addr{netip.MustParseAddr("10.4.7.1")},
		OnLink: []netip.Prefix{netip.MustParsePrefix("10.4.7.0/24")},
	}}
	attrs := func(i int) lease.Attrs {
		a := lease.Attrs{Backend: net.Backend.Type, Public: []netip.Addr{netip.AddrFrom4([4]byte{10, 4, 7, byte(i)})}}
		if a.Backend == plan.VXLAN {
			a.Data = lease.Data{V4: vxlan.Data{VNI: 1, MAC: vxlan.DeriveMAC(fmt.Sprint("host", i), netconf.V4, 1)}.Marshal()}
		}
		return a
	}
	in.Self = lease.Lease{Subnets: []netip.Prefix{netip.MustParsePrefix("172.7.1.0/24")}, Attrs: attrs(1)}
	var items []view.Item
	for i, name := range []string{"172.7.2.0-24", "172.7.3.0-24", "172.7.4.0-24", "172.7.5.0-24", "10.9.2.0-24"} {
		value, err := lease.MarshalAttrs(attrs(2 + i%4))
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, view.Item{Key: view.Subnets + name, Value: value})
	}
	return in, items
}

// fill returns in with the leases of items as peers.
func fill(in plan.Input, items []view.Item) plan.Input {
	in.Peers = view.New(1, items).Snapshot().Leases
	return in
}

// mutate changes a key or a value, mostly by a byte.
func mutate(rng *rand.Rand, it view.Item, all []view.Item) view.Item {
	if rng.IntN(6) == 0 { // what another host announces
		it.Value = all[rng.IntN(len(all))].Value
		return it
	}
	if rng.IntN(3) == 0 {
		name := mutateText(rng, it.Key[len(view.Subnets):])
		it.Key = view.Subnets + name
		return it
	}
	it.Value = []byte(mutateText(rng, string(it.Value)))
	return it
}

func mutateText(rng *rand.Rand, text string) string {
	const digits = "0123456789abcdef.:-\"{},"
	b := []byte(text)
	for range 1 + rng.IntN(3) {
		if len(b) == 0 {
			break
		}
		i := rng.IntN(len(b))
		switch rng.IntN(4) {
		case 0:
			b = slices.Delete(b, i, i+1)
		case 1:
			b = slices.Insert(b, i, digits[rng.IntN(len(digits))])
		default:
			b[i] = digits[rng.IntN(len(digits))]
		}
	}
	return string(b)
}
