package kernel

import (
	"context"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/netconf"
)

// Gateways returns the gateways of those routes in the main table whose
// destination is exactly dst: none if it is connected, or not routed at all.
// A route over several gateways at once is not looked into.
func (k *Kernel) Gateways(ctx context.Context, dst netip.Prefix) (out []netip.Addr, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	err = again(ctx, func() error {
		out = nil
		return readRoutes(k.conn, netconf.FamilyOf(dst.Addr()), func(r codec.Route) {
			if r.Dst == dst.Masked() && r.Kind == unix.RTN_UNICAST && r.Via.IsValid() {
				out = append(out, r.Via)
			}
		})
	})
	return out, err
}
