package intent

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/weft-net/weft/internal/host"
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
	p := Persisted{Snapshot: store.Snapshot{Config: []byte("{}"), Assigned: &store.Assignment{Uplink: addrs("192.0.2.7"), Node: addrs("10.4.7.50")}}}
	records, err := p.Records()
	if err != nil {
		t.Fatal(err)
	}
	got, errs := FromRecords(records)
	if len(errs) > 0 || got.Snapshot.Assigned == nil || !equal(got.Snapshot.Assigned, p.Snapshot.Assigned) {
		t.Errorf("read back %+v, %v", got.Snapshot.Assigned, errs)
	}
}
