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

// followChange waits until every host has switched to net's backend, and writes
// the progress to w. It is an error if a host has not switched in time.
func followChange(ctx context.Context, w io.Writer, st store.Store, net netconf.Network, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	said, last := "", store.Snapshot{}
	err := st.Follow(ctx, func(u store.Update) {
		if u.Snapshot == nil {
			return
		}
		last = *u.Snapshot
		done, behind := plan.Stage(net, last.Leases.Slice())
		if line := fmt.Sprintf("%d of %d hosts have switched to %s", done, done+len(behind), net.Backend); line != said {
			fmt.Fprintln(w, line)
			said = line
		}
		if len(behind) == 0 {
			cancel()
		}
	})
	_, behind := plan.Stage(net, last.Leases.Slice())
	if said != "" && len(behind) == 0 {
		return nil
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	if said == "" {
		return withHint(fmt.Errorf("which hosts have switched is not known: the store has not said within %s", within),
			"the config is stored, and hosts switch as soon as they can; 'weft config get' shows whether the store answers; a longer --wait gives it more time")
	}
	return withHint(fmt.Errorf("not all hosts have switched within %s: %s", within, laggards(last.Hosts, behind)),
		"the config is stored, and hosts switch as soon as they can; see 'weft status' on these hosts; flanneld switches when it is restarted")
}

// laggards names leases of hosts that have not switched.
func laggards(hosts lease.HostSet, behind []lease.Lease) string {
	out := ""
	for _, l := range behind {
		name := ""
		if h, ok := hosts.Find(lease.HostOf(l.Subnets)); ok {
			name = oneLine(h.Name) + " with "
		}
		out += fmt.Sprintf("\n%s%s at %s advertises %s", name, lease.FormatSubnets(l.Subnets), addrs(l.Public), oneLine(orNone(plan.Announced(l.Attrs))))
	}
	return out
}
