package kernel

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netdump"
)

// Ask asks the kernel how it routes a packet: also one that arrives by a device, with
// the checks that such a packet undergoes (rp_filter, forwarding). That the kernel
// refuses to route it is an answer, not an error.
func (k *Kernel) Ask(_ context.Context, q netdump.Question) (netdump.Answer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	found, err := k.askRoute(q, 0)
	if refused := refusalOf(err); refused != "" {
		return netdump.Answer{Refused: refused}, nil
	}
	if err != nil {
		return netdump.Answer{}, fmt.Errorf("ask for the route to %s: %w", q, err)
	}
	d := dumper{conn: k.conn}
	if err := d.links(); err != nil {
		return netdump.Answer{}, err
	}
	out := netdump.Answer{Route: d.route(found)}
	if out.Kind != netdump.Unicast && out.Kind != netdump.Local {
		return netdump.Answer{Refused: "refused by route " + out.String()}, nil
	}
	// The route that matched; kernels that do not tell it tell the address.
	if matched, err := k.askRoute(q, unix.RTM_F_FIB_MATCH); err == nil && matched.Flags&unix.RTM_F_CLONED == 0 {
		out.Dst, out.Metric, out.Proto, out.Table = matched.Dst, matched.Metric, matched.Protocol, matched.Table
		out.OnLink = matched.Flags&unix.RTNH_F_ONLINK != 0
	}
	return out, nil
}

func (k *Kernel) askRoute(q netdump.Question, flags uint32) (found codec.Route, err error) {
	var b rtnl.Batch
	if q.Dst.Is4() {
		flags |= unix.RTM_F_LOOKUP_TABLE // IPv6 tells the table anyway, and knows no such flag
	}
	h := codec.RouteHeader(codec.Family(q.Dst), q.Dst.BitLen(), 0, 0, 0, 0, flags)
	if q.Src.IsValid() {
		h[2] = uint8(q.Src.BitLen()) // rtm_src_len
	}
	b.Message(unix.RTM_GETROUTE, 0, h...)
	b.Addr(unix.RTA_DST, q.Dst)
	if q.Src.IsValid() {
		b.Addr(unix.RTA_SRC, q.Src)
	}
	for attr, name := range map[uint16]string{unix.RTA_IIF: q.In, unix.RTA_OIF: q.Out} {
		if name == "" {
			continue
		}
		index, err := newDevices(k.conn).index(name)
		if err != nil {
			return found, err
		}
		b.Uint32(attr, uint32(index))
	}
	if q.Mark != 0 {
		b.Uint32(unix.RTA_MARK, q.Mark)
	}
	for m, err := range k.conn.Dump(&b) {
		if err != nil {
			return found, err
		}
		if r, ok := codec.DecodeRoute(m); ok {
			r.Multipath = nil
			found = r
		}
	}
	return found, nil
}

// refusalOf says in words why the kernel does not route a packet; "" if err is of
// another kind.
func refusalOf(err error) string {
	switch {
	case errors.Is(err, syscall.EXDEV):
		return "the source is not routed back by the device that the packet arrives by (rp_filter)"
	case errors.Is(err, syscall.EHOSTUNREACH):
		return "unreachable: an unreachable route, or forwarding is off"
	case errors.Is(err, syscall.ENETUNREACH):
		return "no route leads there"
	case errors.Is(err, syscall.EACCES):
		return "prohibited by a route or a policy rule"
	case errors.Is(err, syscall.EINVAL):
		return "the kernel refuses the packet: a blackhole, or an address that may not be in a packet that arrives by this device (rp_filter, accept_local)"
	}
	return ""
}
