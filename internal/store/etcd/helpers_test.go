package etcd_test

import (
	"net/netip"
	"testing"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
)

var owner = lease.Owner{ID: "id-1", Hostname: "host-1", Machine: "m-1"}

func claim() lease.Claim {
	return lease.Claim{
		Owner: owner,
		Attrs: lease.Attrs{
			Public:  []netip.Addr{netip.MustParseAddr("192.0.2.1")},
			Backend: "vxlan",
			Data:    lease.Data{V4: []byte(`{"VNI":1,"VtepMAC":"ee:d7:5f:67:71:11"}`)},
		},
		Preferred: []netip.Prefix{netip.MustParsePrefix("10.5.34.0/24")},
	}
}

func network(t *testing.T, doc string) netconf.Network {
	t.Helper()
	return must[netconf.Network](t)(netconf.Parse([]byte(doc)))
}

func acquire(t *testing.T, s store.Store, doc string, c lease.Claim) lease.Lease {
	t.Helper()
	return must[lease.Lease](t)(s.Acquire(t.Context(), network(t, doc), c))
}

const wide = `{"Network":"10.5.0.0/16"}`

func acquireWide(t *testing.T, s store.Store) lease.Lease {
	t.Helper()
	return acquire(t, s, wide, claim())
}
