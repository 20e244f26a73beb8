package cli

import (
	"context"

	"github.com/weft-net/weft/internal/explain"
	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/netdump"
	"github.com/weft-net/weft/internal/netstate"
)

// sendFunc sends a packet from this host, and returns the firewall's rules of that moment.
type sendFunc func(kernel.Packet) (kernel.Sent, netdump.Firewall, error)

// sendBy sends by the kernel.
func sendBy(ctx context.Context, k *kernel.Kernel) sendFunc {
	return func(p kernel.Packet) (kernel.Sent, netdump.Firewall, error) {
		sent, err := k.Send(ctx, p)
		if err != nil {
			return sent, netdump.Firewall{}, err
		}
		rules, err := k.Firewall(ctx)
		return sent, rules, err
	}
}

// trace sends the packet, and returns the way that it took.
func (e *explainer) trace(f explain.Facts, q explain.Query, found explain.Result, send sendFunc) ([]explain.Station, error) {
	p := kernel.Packet{Src: q.Src, Dst: q.Dst, Proto: explain.ProtocolOf(q), Port: q.Port, Inside: found.Source.Kind == explain.Container}
	if !p.Inside && found.Source.Kind != explain.ThisHost {
		return nil, &usageError{usagef("%s is not on this host, so that nothing can be sent from it", q.Src), "run it on the source's host, or without --send"}
	}
	for _, n := range f.Kernel.Neighs {
		if p.Inside && n.Addr == q.Src && n.MAC != "" {
			p.MAC = n.MAC
		}
	}
	for _, l := range f.Kernel.Links {
		if l.Kind == netstate.KindVXLAN {
			p.Tunnels = append(p.Tunnels, l.Port)
		}
	}
	sent, rules, err := send(p)
	return explain.Trace(rules, explain.Sent(sent)), err
}
