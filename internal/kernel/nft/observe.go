package nft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// view is what Watch knows from the last Observe and Barriers. It is replaced,
// never changed.
type view struct {
	rows     map[handle]netstate.Row // rules of ours
	blocking map[table]bool          // other people's tables in which packets can be stopped
}

// handle names a rule: its number is unique within the table only.
type handle struct {
	table
	number uint64
}

func (r rule) id() handle { return handle{table{r.family, r.table}, r.handle} }

// Observe returns the rows in scope. A kernel without nftables has none, and
// neither has one that does not show them: those are told by Barriers.
func (c *Conn) Observe(ctx context.Context, scope netstate.Scope) (f netstate.FirewallBuilder, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err = again(ctx, func() error {
		o := observer{Conn: c, scope: scope, view: view{rows: map[handle]netstate.Row{}, blocking: map[table]bool{}}}
		if err := o.run(); err != nil {
			return err
		}
		f = o.found
		c.view.Store(&o.view)
		return nil
	})
	if errors.Is(err, ErrAbsent) || errors.Is(err, ErrDenied) {
		return netstate.FirewallBuilder{}, nil
	}
	if err != nil {
		return f, fmt.Errorf("read the firewall: %w", err)
	}
	return f, nil
}

// observer is one look.
type observer struct {
	*Conn
	scope  netstate.Scope
	found  netstate.FirewallBuilder
	view   view
	chains []chain
}

func (o *observer) run() error {
	tables, err := o.tables()
	if err != nil {
		return err
	}
	if o.chains, err = o.Conn.chains(); err != nil {
		return err
	}
	for _, ch := range o.chains {
		if ch.canBlock() && !owned.IsTableName(ch.table) {
			o.view.blocking[table{ch.family, ch.table}] = true
		}
	}
	for _, t := range tables {
		if t.family == unix.NFPROTO_INET && (slices.Contains(o.scope.Tables, t.name) || owned.IsTableName(t.name)) {
			if err := o.own(t); err != nil {
				return fmt.Errorf("table inet %s: %w", t.name, err)
			}
		}
	}
	for _, t := range tables {
		if err := o.others(t); err != nil {
			return fmt.Errorf("table %s %s: %w", familyName(t.family), t.name, err)
		}
	}
	return nil
}

// own reads a table that is ours, or would be if its rules were about a
// network of the scope.
func (o *observer) own(t table) error {
	rules, err := o.rules(place{t.family, t.name, ""})
	if err != nil {
		return err
	}
	var about []netip.Prefix
	for _, r := range rules {
		about = append(about, r.body().Prefixes()...)
	}
	if !o.scope.Table(t.name, about) {
		return nil
	}
	o.found.Tables = append(o.found.Tables, netstate.NFTable{Name: t.name})
	for _, ch := range o.chains {
		if ch.family == t.family && ch.table == t.name {
			o.found.Chains = append(o.found.Chains, ch.row())
		}
	}
	index := map[string]int{}
	for _, r := range rules {
		row := netstate.Rule{Table: t.name, Chain: r.chain, Index: index[r.chain], Body: r.body()}
		index[r.chain]++
		o.found.Rules = append(o.found.Rules, row)
		o.view.rows[r.id()] = row
	}
	return o.members(t.name)
}

func (c chain) row() netstate.Chain {
	row := netstate.Chain{Table: c.table, Name: c.chain, Type: "none", Hook: "none", Priority: c.priority, Drop: c.policy == verdictDrop}
	if c.base {
		row.Type, row.Hook = c.kind, cmp.Or(c.hookName(), fmt.Sprint("hook-", c.hook))
	}
	return row
}

// hookName returns the name of the hook, "" if packets of the network never
// come by it.
func (c chain) hookName() string {
	switch {
	case c.family == unix.NFPROTO_NETDEV && c.hook == netdevIngress, c.family == unix.NFPROTO_INET && c.hook == inetIngress:
		return "ingress"
	case c.family == unix.NFPROTO_NETDEV && c.hook == netdevEgress:
		return "egress"
	case c.family != unix.NFPROTO_NETDEV && int(c.hook) < len(hooks):
		return hooks[c.hook]
	}
	return ""
}

func (o *observer) members(name string) error {
	sets, err := o.sets(name)
	if err != nil {
		return err
	}
	o.found.Sets = append(o.found.Sets, sets...)
	for _, s := range sets {
		if s.Type != netstate.TypeIPv4 && s.Type != netstate.TypeIPv6 {
			continue
		}
		elements, err := o.elements(s)
		if err != nil {
			return fmt.Errorf("set %s: %w", s.Name, err)
		}
		o.found.Elements = append(o.found.Elements, elements...)
	}
	return nil
}

// tableNames returns the names of the tables that were found to be ours.
func (o *observer) tableNames() (names []string) {
	for _, t := range o.found.Tables {
		names = append(names, t.Name)
	}
	return names
}

func familyName(number uint8) string { return familyNames[number] }
