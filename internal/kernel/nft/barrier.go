package nft

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// Barriers returns the chains of somebody else's that stop packets, with the
// rules that do so, sorted.
func (c *Conn) Barriers(ctx context.Context) (out []host.Barrier, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err = again(ctx, func() error {
		out, err = c.barriers()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the host's firewall: %w", err)
	}
	slices.SortFunc(out, host.Barrier.Compare)
	return out, nil
}

func (c *Conn) barriers() ([]host.Barrier, error) {
	chains, err := c.chains()
	if err != nil {
		return nil, err
	}
	var out []host.Barrier
	known := map[table]*ruleset{}
	for _, ch := range chains {
		t := table{ch.family, ch.table}
		if !ch.canBlock() || owned.IsTableName(ch.table) || owned.IsFlannel(ch.table) {
			continue
		}
		if known[t] == nil {
			if known[t], err = c.ruleset(t); err != nil {
				return nil, err
			}
		}
		b, err := known[t].barrier(ch)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(b.Rules, func(r host.Rule) bool { return r.Stops != "" }) {
			out = append(out, b)
		}
	}
	sets := map[setID]bool{}
	for t, r := range known {
		for name, list := range r.sets {
			sets[setID{t, name}] = len(list) <= maxWatched
		}
	}
	c.members.Store(&sets)
	return out, nil
}

// setID names a set of anybody's.
type setID struct {
	table
	set string
}

// maxWatched is up to how many members a set's changes are worth reading the
// firewall again. Larger ones are lists of banned addresses, which change all
// the time.
const maxWatched = 256

// ruleset is a table of anybody's, as far as it was read.
type ruleset struct {
	*Conn
	table
	rules map[string][]rule    // by chain
	sets  map[string][]element // by name
}

func (c *Conn) ruleset(t table) (*ruleset, error) {
	rules, err := c.rules(place{t.family, t.name, ""})
	out := &ruleset{c, t, map[string][]rule{}, map[string][]element{}}
	for _, r := range rules {
		out.rules[r.chain] = append(out.rules[r.chain], r)
	}
	return out, err
}

// set returns the elements of a set or map, of an anonymous one as well.
func (s *ruleset) set(name string) ([]element, error) {
	if have, ok := s.sets[name]; ok {
		return have, nil
	}
	have, err := s.content(s.table, name)
	if err != nil {
		return nil, fmt.Errorf("set %s: %w", name, err)
	}
	s.sets[name] = have
	return have, nil
}

// barrier returns what c does with packets.
func (s *ruleset) barrier(c chain) (host.Barrier, error) {
	b := host.Barrier{
		Via: netstate.ViaNFT, Family: familyName(c.family), Table: c.table, Chain: c.chain,
		Hook: c.hookName(), Manager: c.manager(),
	}
	if c.family == unix.NFPROTO_NETDEV {
		b.Family = "netdev"
	}
	f := flattener{ruleset: s, accepts: b.Manager == ""}
	all := host.Match{Family: familyOf(c.family)}
	switch b.Hook {
	case "ingress":
		all.In = c.devices
	case "egress":
		all.Out = c.devices
	}
	if err := f.chain(c.chain, all, nil); err != nil {
		return b, err
	}
	b.Rules = f.out
	if c.policy == verdictDrop {
		b.Rules = append(b.Rules, host.Rule{When: host.Match{In: all.In, Out: all.Out}, Stops: "policy drop"})
	}
	return b, nil
}

// familyOf returns the family that all packets of a table have; "" if its
// packets are of both.
func familyOf(number uint8) string {
	if number == unix.NFPROTO_INET {
		return ""
	}
	return familyName(number)
}

// maxRules is how many rules of a chain and of those that it leads to are
// looked at. Chains that lead to others by many ways have more than they look.
const maxRules = 20000

// flattener gathers the rules of a chain and of those that it leads to.
type flattener struct {
	*ruleset
	accepts bool // rules that accept packets, too
	effects bool // not what stops packets, but what else is done to them
	looked  int
	out     []host.Rule
}

// chain adds the rules of a chain that is reached under a condition, by way of
// others.
func (f *flattener) chain(name string, when host.Match, by []string) error {
	if slices.Contains(by, name) {
		return nil
	}
	by = append(slices.Clip(by), name)
	for _, r := range f.rules[name] {
		if r.tagged() {
			continue
		}
		if f.looked++; f.looked == maxRules {
			f.add(host.Rule{Stops: "chain " + name + " has too many rules to judge", When: host.Match{Opaque: true}})
		}
		if f.looked >= maxRules {
			return nil
		}
		branches, err := f.read(r, f.effects)
		if err != nil {
			return err
		}
		for _, b := range branches {
			if err := f.branch(b, when.And(b.when), name, by); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *flattener) branch(b branch, when host.Match, chain string, by []string) error {
	switch {
	case when.Never:
	case b.effect != f.effects && b.stops != "":
	case b.stops != "":
		f.add(host.Rule{Stops: b.stops + " in chain " + chain, When: when})
	case b.chain != "":
		return f.chain(b.chain, when, by)
	case b.accepts && f.accepts:
		f.add(host.Rule{When: when})
	}
	return nil
}

// add adds a rule. Rules that differ in the source alone, as those of a list
// of banned addresses do, become one.
func (f *flattener) add(r host.Rule) {
	if last := len(f.out) - 1; last >= 0 && sameButSource(f.out[last], r) {
		f.out[last].When.Src.In = append(f.out[last].When.Src.In, r.When.Src.In...)
		return
	}
	r.When.Src.In = slices.Clone(r.When.Src.In)
	f.out = append(f.out, r)
}

func sameButSource(a, b host.Rule) bool {
	if a.When.Src.In == nil || b.When.Src.In == nil || a.Stops != b.Stops {
		return false
	}
	x, y := a.When, b.When
	return x.Family == y.Family && x.States == y.States && x.Opaque == y.Opaque && x.Unrouted == y.Unrouted && x.Local == y.Local &&
		slices.Equal(x.Src.Not, y.Src.Not) && slices.Equal(x.Dst.Not, y.Dst.Not) && same(x.Dst.In, y.Dst.In) &&
		same(x.Protos, y.Protos) && same(x.Ports, y.Ports) && same(x.In, y.In) && same(x.Out, y.Out)
}

// same compares lists of which nil is another than an empty one.
func same[T comparable](a, b []T) bool { return (a == nil) == (b == nil) && slices.Equal(a, b) }

// prefixes returns the addresses that a rule of any form is compared with.
func (r rule) prefixes() (out []netip.Prefix) {
	reader := bodyReader{family: r.family}
	for i, e := range r.list {
		switch e.name {
		case "meta", "payload":
			reader.load, reader.mask = &r.list[i], nil
		case "bitwise":
			reader.mask = e.mask
		case "cmp":
			if reader.load == nil || reader.load.base != unix.NFT_PAYLOAD_NETWORK_HEADER || reader.load.name != "payload" {
				continue
			}
			if s, _, size := reader.side(); s != nil {
				if p, ok := reader.prefix(e.value, size); ok {
					out = append(out, p)
				}
			}
		}
	}
	return out
}
