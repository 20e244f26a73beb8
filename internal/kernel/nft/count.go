package nft

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// Count returns how many packets the counters of a chain's rules have counted,
// of a table of ours. It is 0 of a chain that is not there. A rule that was written anew
// counts from 0.
func (c *Conn) Count(ctx context.Context, table, chain string) (packets uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var rules []rule
	err = again(ctx, func() (err error) {
		rules, err = c.rules(place{unix.NFPROTO_INET, table, chain})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read the counters of chain %s of table inet %s: %w", chain, table, err)
	}
	for _, r := range rules {
		for _, e := range r.list {
			packets += e.packets
		}
	}
	return packets, nil
}
