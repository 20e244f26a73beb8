package agent

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
)

func addrs(texts ...string) []netip.Addr {
	var out []netip.Addr
	for _, text := range texts {
		out = append(out, netip.MustParseAddr(text))
	}
	return out
}

func TestAssignedAddressesGoFirst(t *testing.T) {
	given := host.Options{Public: addrs("192.0.2.1", "2001:db8::1")}
	for _, c := range []struct{ assigned, want []netip.Addr }{
		{nil, given.Public},
		{addrs("192.0.2.7"), addrs("192.0.2.7", "2001:db8::1")},
		{addrs("2001:db8::7"), addrs("192.0.2.1", "2001:db8::7")},
		{addrs("192.0.2.7", "2001:db8::7"), addrs("192.0.2.7", "2001:db8::7")},
	} {
		a := &store.Assignment{Uplink: c.assigned}
		if got := withAssigned(given, a); !slices.Equal(got.Public, c.want) {
			t.Errorf("with %v: %v, want %v", c.assigned, got.Public, c.want)
		}
	}
	if got := withAssigned(given, nil); !slices.Equal(got.Public, given.Public) {
		t.Errorf("without an assignment: %v", got.Public)
	}
}

func TestAssignedAddressesOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	m := memory{Snapshot: store.Snapshot{Config: []byte("{}"), Assigned: &store.Assignment{Uplink: addrs("192.0.2.7")}}}
	if err := m.save(dir); err != nil {
		t.Fatal(err)
	}
	got, err := recall(dir)
	if err != nil || !sameUplink(got.Snapshot.Assigned, m.Snapshot.Assigned) {
		t.Errorf("recalled %+v, %v", got.Snapshot.Assigned, err)
	}
}

func TestAnAssignedLeaseHasTheNetworksFamilies(t *testing.T) {
	net, err := netconf.Parse([]byte(`{"Network":"10.5.0.0/16"}`))
	if err != nil {
		t.Fatal(err)
	}
	v4, v6 := netip.MustParsePrefix("10.5.1.0/26"), netip.MustParsePrefix("fc00::/64")
	l, new, err := assignedLease(net, lease.Attrs{}, store.Assignment{Subnets: []netip.Prefix{v4, v6}})
	if err != nil || !new || !slices.Equal(l.Subnets, []netip.Prefix{v4}) {
		t.Errorf("%v, %v, %v", l, new, err)
	}
	if _, _, err := assignedLease(net, lease.Attrs{}, store.Assignment{Subnets: []netip.Prefix{v6}}); err == nil {
		t.Error("a subnet of the other family is a lease")
	}
}
