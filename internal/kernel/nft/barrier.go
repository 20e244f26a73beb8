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

// Barriers returns the chains of somebody else's that can stop packets on
// their way through this host or into it, sorted.
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
	known := map[table]map[string][]rule{}
	for _, ch := range chains {
		t := table{ch.family, ch.table}
		if !ch.canBlock() || owned.IsTableName(ch.table) || owned.IsFlannel(ch.table) {
			continue
		}
		if known[t] == nil {
			if known[t], err = c.byChain(t); err != nil {
				return nil, err
			}
		}
		if b, ok := barrier(ch, known[t]); ok {
			out = append(out, b)
		}
	}
	return out, nil
}

func (c *Conn) byChain(t table) (map[string][]rule, error) {
	rules, err := c.rules(place{t.family, t.name, ""})
	out := map[string][]rule{}
	for _, r := range rules {
		out[r.chain] = append(out[r.chain], r)
	}
	return out, err
}

// barrier says how packets can be stopped in c; false if they cannot.
func barrier(c chain, rules map[string][]rule) (host.Barrier, bool) {
	b := host.Barrier{
		Via: netstate.ViaNFT, Family: familyName(c.family), Table: c.table, Chain: c.chain,
		Hook: c.hookName(), Manager: c.manager(),
	}
	b.Stops = stop(c.chain, rules, map[string]bool{})
	if b.Stops == "" && c.policy == verdictDrop {
		b.Stops = "policy drop"
	}
	if b.Manager == "" {
		b.Passes = passes(rules[c.chain])
	}
	return b, b.Stops != ""
}

// stop finds the first rule that can stop a packet in a chain or in those that
// it leads to.
func stop(name string, rules map[string][]rule, seen map[string]bool) string {
	seen[name] = true
	for _, r := range rules[name] {
		if how, stops := r.isStop(); stops {
			return fmt.Sprintf("%s in chain %s", how, name)
		}
		for _, to := range r.leads() {
			if seen[to] {
				continue
			}
			if s := stop(to, rules, seen); s != "" {
				return s
			}
		}
	}
	return ""
}

// passes returns the sources and destinations that a chain accepts ahead of
// whatever stops the rest, and the UDP ports likewise.
func passes(rules []rule) (out []host.Pass) {
	for _, r := range rules {
		if _, stops := r.isStop(); stops {
			break
		}
		b, ok := readBody(r.list, r.family)
		if !ok || b.Verdict != netstate.Accept || b.Mask != 0 {
			continue
		}
		for _, s := range []netstate.Side{b.Src, b.Dst} {
			if s.Prefix.IsValid() && !s.Not {
				out = append(out, host.Pass{Prefix: s.Prefix, UDPPort: b.UDPPort})
			}
		}
		if b.Src.Any() && b.Dst.Any() {
			out = append(out, host.Pass{UDPPort: b.UDPPort})
		}
	}
	return out
}

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
