package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/store"
)

// tally counts the hosts of a snapshot, and those that announce what net wants.
func tally(net netconf.Network, snap store.Snapshot) (done, total int) {
	for _, l := range snap.Leases {
		if l.Vacant() {
			continue
		}
		total++
		if plan.Announces(net, l.Attrs) {
			done++
		}
	}
	return done, total
}

// followChange waits until every host has announced what net wants, and tells
// on w how far they are. What is left when the time is over is an error.
func followChange(ctx context.Context, w io.Writer, st store.Store, net netconf.Network, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	said, last := "", store.Snapshot{}
	err := st.Follow(ctx, func(u store.Update) {
		if u.Snapshot == nil {
			return
		}
		last = *u.Snapshot
		done, total := tally(net, last)
		if line := fmt.Sprintf("%d of %d hosts announce %s", done, total, net.Backend); line != said {
			fmt.Fprintln(w, line)
			said = line
		}
		if done == total {
			cancel()
		}
	})
	if done, total := tally(net, last); said != "" && done == total {
		return nil
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return withHint(fmt.Errorf("not all hosts have followed within %s: %s", within, laggards(net, last)),
		"'weft status' on such a host says why; the config is stored, and hosts follow when they can")
}

// laggards names the leases that do not announce what net wants.
func laggards(net netconf.Network, snap store.Snapshot) string {
	out := ""
	for _, l := range snap.Leases {
		if !l.Vacant() && !plan.Announces(net, l.Attrs) {
			out += fmt.Sprintf("\n  %s at %s announces %s", lease.FormatSubnets(l.Subnets), addrs(l.Public), orNone(l.Backend))
		}
	}
	return out
}
