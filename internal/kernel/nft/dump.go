package nft

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netdump"
)

// Dump copies the ruleset: the chains of all tables of families that packets of IP
// come by, with what their rules require and do, and the sets that rules name.
func (c *Conn) Dump(ctx context.Context) (out netdump.Firewall, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err = again(ctx, func() (err error) {
		out, err = c.dump()
		return err
	})
	if err != nil {
		return out, fmt.Errorf("read the firewall: %w", err)
	}
	return out, nil
}

func (c *Conn) dump() (out netdump.Firewall, err error) {
	chains, err := c.chains()
	if err != nil {
		return out, err
	}
	known := map[table]*ruleset{}
	for _, ch := range chains {
		t := table{ch.family, ch.table}
		if familyNames[ch.family] == "" && ch.family != unix.NFPROTO_NETDEV {
			continue
		}
		if known[t] == nil {
			if known[t], err = c.ruleset(t); err != nil {
				return out, err
			}
		}
		one, err := known[t].dumpChain(ch)
		if err != nil {
			return out, err
		}
		out.Chains = append(out.Chains, one)
	}
	slices.SortFunc(out.Chains, func(a, b netdump.Chain) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Table, b.Table), cmp.Compare(a.Name, b.Name))
	})
	for t, r := range known {
		out.Sets = append(out.Sets, r.dumpSets(t)...)
	}
	slices.SortFunc(out.Sets, func(a, b netdump.Set) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Table, b.Table), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

// dumpFamily is the family's name, also that of devices' own chains.
func dumpFamily(number uint8) string {
	if number == unix.NFPROTO_NETDEV {
		return "netdev"
	}
	return familyName(number)
}

func (s *ruleset) dumpChain(c chain) (netdump.Chain, error) {
	out := netdump.Chain{Family: dumpFamily(c.family), Table: c.table, Name: c.chain, Devices: c.devices}
	if c.base {
		out.Type, out.Hook, out.Priority, out.Policy = c.kind, c.hookName(), int(c.priority), "accept"
		if c.policy == verdictDrop {
			out.Policy = "drop"
		}
	}
	for _, r := range s.rules[c.chain] {
		branches, err := s.dumpRule(r)
		if err != nil {
			return out, err
		}
		out.Rules = append(out.Rules, netdump.Rule{Handle: r.handle, Text: ruleText(r), Branches: branches})
	}
	return out, nil
}

func (s *ruleset) dumpSets(t table) (out []netdump.Set) {
	for name, list := range s.sets {
		one := netdump.Set{Family: dumpFamily(t.family), Table: t.name, Name: name, Elements: []string{}}
		for _, e := range list {
			one.Elements = append(one.Elements, elementText(e))
		}
		out = append(out, one)
	}
	return out
}

// ruleDumper reads what a rule does, of more kinds than those that can stop packets.
type ruleDumper struct {
	matchReader
	out  []netdump.Branch
	mark bool       // the packet's mark is loaded
	data netip.Addr // last put into a register
}

func (s *ruleset) dumpRule(r rule) ([]netdump.Branch, error) {
	d := ruleDumper{matchReader: matchReader{set: s.set, family: r.family}}
	for i := range r.list {
		e := &r.list[i]
		switch b, decides := d.action(e); {
		case decides:
			d.out = append(d.out, b)
		case d.mark && e.name == "cmp":
			d.fresh = false
			d.compareMark(e)
		case e.name == "match" && e.target == "mark":
			d.xtMark(e.info)
		default:
			if e.name == "meta" || e.name == "payload" || e.name == "ct" || e.name == "fib" {
				d.mark = e.name == "meta" && e.key == unix.NFT_META_MARK && !e.odd
			}
			if e.name == "immediate" {
				if a, ok := netip.AddrFromSlice(e.value); ok {
					d.data = a
				}
				if e.odd {
					continue // a value, not a verdict
				}
			}
			if err := d.take(e); err != nil {
				return nil, err
			}
			d.verdicts()
		}
	}
	return d.out, nil
}

// verdicts takes over the branches that the match reader found.
func (d *ruleDumper) verdicts() {
	for _, b := range d.matchReader.out {
		one := netdump.Branch{When: b.when, Chain: b.chain}
		switch {
		case b.stops == "drop":
			one.Does = netdump.Drop
		case b.stops != "":
			one.Does = netdump.Reject
		case b.chain != "":
			one.Does = netdump.Jump
		default:
			one.Does = netdump.Accept
		}
		d.out = append(d.out, one)
	}
	d.matchReader.out = nil
}

// action returns what an expression does that the match reader passes over.
func (d *ruleDumper) action(e *expression) (netdump.Branch, bool) {
	b := netdump.Branch{When: d.when}
	switch {
	case e.name == "immediate" && !e.odd && e.code == verdictReturn, e.name == "target" && e.target == "RETURN":
		b.Does = netdump.Return
	case e.name == "immediate" && !e.odd && e.code == verdictGoto:
		b.Does, b.Chain = netdump.Goto, e.chain
	case e.name == "masq", e.name == "target" && e.target == "MASQUERADE":
		b.Does = netdump.Masquerade
	case e.name == "redir", e.name == "target" && e.target == "REDIRECT":
		b.Does = netdump.Redirect
	case e.name == "nat" && e.kind == natSource:
		b.Does, b.To = netdump.SNAT, d.data
		if addrs := d.loaded(); addrs == &d.when.Src {
			b.Does, b.To = netdump.KeepSource, netip.Addr{}
		}
	case e.name == "nat":
		b.Does, b.To = netdump.DNAT, d.data
	case e.name == "target" && (e.target == "DNAT" || e.target == "SNAT"):
		b.Does, b.To = netdump.Action(map[string]netdump.Action{"DNAT": netdump.DNAT, "SNAT": netdump.SNAT}[e.target]), xtNATAddr(e.info, d.family)
	default:
		return b, false
	}
	return b, true
}

// loaded returns which addresses the register holds, nil if none.
func (d *ruleDumper) loaded() *host.Addrs {
	if d.load == nil {
		return nil
	}
	addrs, _ := d.side()
	return addrs
}

// compareMark judges a comparison of the packet's mark for a packet that has none.
func (d *ruleDumper) compareMark(e *expression) {
	equal := isZero(e.value) // 0 & mask is 0
	fits := equal == (e.op == unix.NFT_CMP_EQ)
	if e.op != unix.NFT_CMP_EQ && e.op != unix.NFT_CMP_NEQ {
		d.when.Opaque = true
		return
	}
	d.when.Never = d.when.Never || !fits
}

// xtMark judges xt_mark_mtinfo1 (mark, mask, inversion) for a packet without a mark.
func (d *ruleDumper) xtMark(info []byte) {
	if len(info) < 9 {
		d.when.Opaque = true
		return
	}
	fits := (binary.NativeEndian.Uint32(info) == 0) != (info[8] != 0)
	d.when.Never = d.when.Never || !fits
}

// xtNATAddr reads the first address of nf_nat_range2 or of nf_nat_ipv4_multi_range_compat
// of linux/netfilter/nf_nat.h.
func xtNATAddr(info []byte, family uint8) netip.Addr {
	const multiRange = 20 // size, flags, two addresses, two ports
	switch {
	case len(info) >= 24 && family == unix.NFPROTO_IPV6:
		return netip.AddrFrom16([16]byte(info[4:20]))
	case len(info) >= 24:
		return netip.AddrFrom4([4]byte(info[4:8]))
	case len(info) >= multiRange:
		return netip.AddrFrom4([4]byte(info[8:12]))
	}
	return netip.Addr{}
}
