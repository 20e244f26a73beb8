package xtables

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// hooks are where the chains stand that packets come by.
var hooks = map[string]string{
	"PREROUTING": "prerouting", "INPUT": "input", "FORWARD": "forward", "OUTPUT": "output", "POSTROUTING": "postrouting",
}

// tableNames are the tables that can stop packets, beside the one for
// translated addresses.
var tableNames = []string{"filter", "mangle", "raw", "security"}

// list reads a table; ok is false if it is not in use.
func (t *Tools) list(ctx context.Context, f family, table string) (l listing, ok bool, err error) {
	used, err := t.inUse(f)
	if err != nil || !slices.Contains(used, table) {
		return l, false, err // asking the program would bring the table into use
	}
	text, err := t.run(ctx, f, table, "-S")
	return parseListing(text), err == nil, err
}

// InUse reports whether the kernel has any table of iptables-legacy.
func (t *Tools) InUse() bool {
	return slices.ContainsFunc(families, func(f family) bool {
		used, err := t.inUse(f)
		return err != nil || len(used) > 0
	})
}

// Barriers returns the chains that stop packets. Where the program is missing,
// FORWARD and INPUT count as two that do.
func (t *Tools) Barriers(ctx context.Context) (out []host.Barrier, err error) {
	for _, f := range families {
		for _, table := range tableNames {
			l, ok, err := t.list(ctx, f, table)
			if errors.Is(err, ErrNoProgram) {
				if table == "filter" {
					out = append(out, f.unread("")...)
				}
				continue
			}
			if err != nil {
				return nil, err
			}
			if ok {
				out = append(out, l.barriers(f, table)...)
			}
		}
	}
	return out, nil
}

const (
	manager      = "iptables"
	unknownRules = "its rules are unknown"
)

// Unread returns the chains that may stop packets for all that can be told
// without the program.
func (t *Tools) Unread() (out []host.Barrier) {
	for _, f := range families {
		if used, err := t.inUse(f); err == nil && slices.Contains(used, "filter") {
			out = append(out, f.unread(manager)...)
		}
	}
	return out
}

// unread returns the chains of the filter table that most firewalls are in.
func (f family) unread(manager string) (out []host.Barrier) {
	for _, chain := range []string{"FORWARD", "INPUT"} {
		b := f.barrier("filter", chain, manager)
		b.Rules = []host.Rule{{Stops: unknownRules, When: host.Match{Opaque: true}}}
		out = append(out, b)
	}
	return out
}

func (f family) barrier(table, chain, manager string) host.Barrier {
	return host.Barrier{Via: netstate.ViaLegacy, Family: f.name, Table: table, Chain: chain, Hook: hooks[chain], Manager: manager}
}

// barriers returns the chains of a table that stop packets.
func (l listing) barriers(f family, table string) (out []host.Barrier) {
	for _, chain := range slices.Sorted(maps.Keys(hooks)) {
		b := f.barrier(table, chain, manager)
		if b.Rules = l.stops(chain, f.name); len(b.Rules) > 0 {
			out = append(out, b)
		}
	}
	return out
}

// Observe returns our rules, and what flanneld left for a network of the scope.
func (t *Tools) Observe(ctx context.Context, scope netstate.Scope) (f netstate.FirewallBuilder, err error) {
	for _, fam := range families {
		for _, table := range append(slices.Clip(tableNames), "nat") {
			l, ok, err := t.list(ctx, fam, table)
			if err != nil && !errors.Is(err, ErrNoProgram) {
				return f, err
			}
			if !ok {
				continue
			}
			if table != "nat" {
				f.HookRules = append(f.HookRules, l.ownRules(fam, table, scope)...)
			}
			chain := owned.FlannelChain(table)
			if _, there := l.rules[chain]; there && scope.Abandoned(l.prefixes(chain)) {
				f.Leftovers = append(f.Leftovers, netstate.Leftover{Via: netstate.ViaLegacy, Family: fam.name, Table: table, Chain: chain})
			}
		}
	}
	return f, nil
}

// ownRules finds our rules in the chains.
func (l listing) ownRules(f family, table string, scope netstate.Scope) (out []netstate.HookRule) {
	for _, chain := range slices.Sorted(maps.Keys(hooks)) {
		start, behind := l.head(chain), false
		for i, r := range l.rules[chain] {
			body := r.body()
			switch {
			case r.tag() == "":
				behind = behind || i >= start
			case scope.HookRule(r.tag(), body.Prefixes()):
				out = append(out, netstate.HookRule{
					Via: netstate.ViaLegacy, Family: f.name, Table: table, Chain: chain, Body: body, Behind: behind || i < start,
				})
			}
		}
	}
	return firstOfEach(out)
}

// firstOfEach drops rules that stand in a chain twice over.
func firstOfEach(rows []netstate.HookRule) []netstate.HookRule {
	seen := map[netstate.HookRule]bool{}
	return slices.DeleteFunc(rows, func(f netstate.HookRule) bool {
		f.Behind = false
		twice := seen[f]
		seen[f] = true
		return twice
	})
}

// Apply carries out one op on a row whose Via is ViaLegacy.
func (t *Tools) Apply(ctx context.Context, op netstate.Op) error {
	switch r := op.Row.(type) {
	case netstate.HookRule:
		return t.foreign(ctx, r, op.Verb == netstate.Remove)
	case netstate.Leftover:
		return t.leftover(ctx, r)
	}
	return fmt.Errorf("objects of type %T are not iptables'", op.Row)
}

func familyOf(name string) family {
	if name == "ip6" {
		return families[1]
	}
	return families[0]
}

// foreign makes a rule stand at the head of its chain, or takes it away.
func (t *Tools) foreign(ctx context.Context, f netstate.HookRule, remove bool) error {
	fam := familyOf(f.Family)
	l, ok, err := t.list(ctx, fam, f.Table)
	if err != nil || !ok {
		return err
	}
	if f.Body.Unknown != "" && !remove {
		return fmt.Errorf("a rule of unknown form cannot be made")
	}
	start := l.head(f.Chain)
	if !remove {
		// The new one first, so that packets always find one.
		if _, err := t.run(ctx, fam, f.Table, slices.Concat([]string{"-I", f.Chain, fmt.Sprint(start + 1)}, arguments(f.Body))...); err != nil {
			return err
		}
	}
	for i, r := range slices.Backward(l.rules[f.Chain]) {
		if r.tag() == "" || r.body() != f.Body {
			continue
		}
		number := i + 1
		if !remove && i >= start {
			number++
		}
		if _, err := t.run(ctx, fam, f.Table, "-D", f.Chain, fmt.Sprint(number)); err != nil {
			return err
		}
	}
	return nil
}

// leftover removes a chain with the rules that lead to it.
func (t *Tools) leftover(ctx context.Context, left netstate.Leftover) error {
	fam := familyOf(left.Family)
	l, ok, err := t.list(ctx, fam, left.Table)
	if err != nil || !ok {
		return err
	}
	var steps [][]string
	for chain, rules := range l.rules {
		for _, r := range rules {
			if r.target() == left.Chain {
				steps = append(steps, slices.Concat([]string{"-D", chain}, r))
			}
		}
	}
	for _, step := range append(steps, []string{"-F", left.Chain}, []string{"-X", left.Chain}) {
		if _, err := t.run(ctx, fam, left.Table, step...); err != nil {
			return err
		}
	}
	return nil
}
