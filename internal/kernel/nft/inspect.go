package nft

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// Inspectors returns the chains of somebody else's whose rules do something else
// to packets than to let them through or not: they translate, mark, log or queue
// them. Their rules are those that do so, and what they do. Sorted.
func (c *Conn) Inspectors(ctx context.Context) (out []host.Barrier, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err = again(ctx, func() error {
		out, err = c.inspectors()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the host's firewall: %w", err)
	}
	slices.SortFunc(out, host.Barrier.Compare)
	return out, nil
}

func (c *Conn) inspectors() (out []host.Barrier, err error) {
	chains, err := c.chains()
	if err != nil {
		return nil, err
	}
	known := map[table]*ruleset{}
	for _, ch := range chains {
		t := table{ch.family, ch.table}
		if !ch.canInspect() || owned.IsTableName(ch.table) || owned.IsFlannel(ch.table) {
			continue
		}
		if known[t] == nil {
			if known[t], err = c.ruleset(t); err != nil {
				return nil, err
			}
		}
		b, err := known[t].inspector(ch)
		if err != nil {
			return nil, err
		}
		if len(b.Rules) > 0 {
			out = append(out, b)
		}
	}
	return out, nil
}

// canInspect reports whether packets between pods come by c. Of those that
// translate addresses only the ones that may change destinations count: weft's own
// chain settles sources before others see them.
func (c chain) canInspect() bool {
	_, known := familyNames[c.family]
	hook := c.hookName()
	passed := slices.Contains([]string{"ingress", "prerouting", "forward", "postrouting", "egress"}, hook)
	return (known || c.family == unix.NFPROTO_NETDEV) && c.table != kubeProxy && c.base && passed && (c.kind != "nat" || hook == "prerouting")
}

// inspector returns what the rules of c, and of chains that it leads to, do.
func (s *ruleset) inspector(c chain) (host.Barrier, error) {
	b := host.Barrier{
		Via: netstate.ViaNFT, Family: familyName(c.family), Table: c.table, Chain: c.chain,
		Hook: c.hookName(), Manager: c.manager(),
	}
	all := host.Match{Family: familyOf(c.family)}
	if c.family == unix.NFPROTO_NETDEV {
		b.Family = "netdev"
		switch b.Hook {
		case "ingress":
			all.In = c.devices
		case "egress":
			all.Out = c.devices
		}
	}
	f := flattener{ruleset: s, effects: true}
	err := f.chain(c.chain, all, nil)
	b.Rules = f.out
	return b, err
}

// harmless are expressions that only look at a packet, count it or give a verdict.
var harmless = []string{
	"fib", "bitwise", "byteorder", "cmp", "range", "lookup", "match", "immediate", "counter", "reject", "rt", "socket", "hash", "numgen",
	"osf", "tunnel", "xfrm", "limit", "connlimit", "last",
}

// effect names what e does beside that, "" if nothing.
func (e *expression) effect() string {
	switch {
	case slices.Contains(harmless, e.name), slices.Contains([]string{"payload", "meta", "ct"}, e.name) && !e.odd: // else they write
		return ""
	case e.name == "target" && slices.Contains([]string{"ACCEPT", "REJECT", "DROP", "RETURN"}, e.target):
		return ""
	case e.name == "target":
		return e.target
	}
	return e.name
}
