package kernel

import (
	"context"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/netconf"
)

// Gateways returns the gateways of those routes in the main table whose
// destination is exactly dst, also those of multipath routes and nexthop
// objects: none if it is connected, or not routed at all.
func (k *Kernel) Gateways(ctx context.Context, dst netip.Prefix) (out []netip.Addr, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var found hostRoutes
	err = again(ctx, func() error {
		found = nil
		err := readRoutes(k.conn, netconf.FamilyOf(dst.Addr()), func(r codec.Route) {
			if r.Dst == dst.Masked() && r.Kind == unix.RTN_UNICAST {
				found = append(found, newHostRoute(r))
			}
		})
		if err != nil {
			return err
		}
		_, err = found.resolve(k.conn)
		return err
	})
	for _, r := range found {
		for _, h := range r.hops {
			if h.Via.IsValid() {
				out = append(out, h.Via)
			}
		}
	}
	return out, err
}
