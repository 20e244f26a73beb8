package explain

import (
	"fmt"
	"net/netip"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netdump"
	"github.com/weft-net/weft/internal/owned"
)

// maxDoubts is how many rules that may stop a packet are listed for a hook.
const maxDoubts = 3

// hook follows a packet through the chains of a hook. It returns its new destinations, if
// a rule may give it one, and whether it gets past.
func (t *trace) hook(hook, name string, p packet) (to []netip.Addr, passes bool) {
	hits, passed := walk(t.Kernel.Firewall, hook, p)
	name = "firewall " + name
	said, doubts := false, 0
	for _, h := range hits {
		switch does := h.does.Does; {
		case does.Stops() && h.sure:
			return nil, t.broken(name, h.text(), stopNote(h, p), stopRemedy(h))
		case does.Stops():
			if doubts++; doubts <= maxDoubts {
				t.add(Station{Name: name, Object: h.text(), State: Unknown, Note: "may stop it: the rule has conditions that cannot be judged here; --send tells"})
			}
			said = true
		case does == netdump.DNAT && h.does.To.IsValid():
			to = append(to, h.does.To)
		case h.sure:
			t.add(Station{Name: name, Object: h.text(), Note: passNotes[does]})
			said = true
		}
	}
	if t.legacy(hook, name, p) {
		said = true
	}
	if !said && passed > 0 && len(to) == 0 {
		t.add(Station{Name: name, Object: count(passed, "chain"), Note: "no rule stops it"})
	}
	return to, true
}

var passNotes = map[netdump.Action]string{
	netdump.Accept:     "accepts it",
	netdump.Masquerade: "the source becomes an address of this host",
	netdump.SNAT:       "the source becomes another address",
	netdump.KeepSource: "the source is kept, also from rules of others that would masquerade it",
	netdump.Redirect:   "the packet is redirected to this host",
}

// legacy adds the chains that only the iptables-legacy program reaches, of which less is
// known, if they may stop the packet.
func (t *trace) legacy(hook, name string, p packet) bool {
	said := false
	for _, b := range t.Kernel.Legacy {
		if b.Hook != hook || !b.Handles(p.family()) {
			continue
		}
		traffic := host.Traffic{Family: p.family(), Src: whole(p.src), Dst: whole(p.dst), In: p.in, Out: p.out}
		if p.proto == protoUDP {
			traffic.UDPPort = p.port
		}
		if p.proto == protoIPIP {
			traffic.Proto = p.proto
		}
		if how := b.Stops(traffic); how != "" {
			t.add(Station{Name: name, Object: b.String(), State: Unknown, Note: "may stop it: " + how})
			said = true
		}
	}
	return said
}

func whole(a netip.Addr) []netip.Prefix {
	if !a.IsValid() {
		return nil
	}
	return []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}
}

func stopNote(h hit, p packet) string {
	if owned.IsTableName(h.chain.Table) && (p.proto == protoUDP || p.proto == protoIPIP) {
		return fmt.Sprintf("weft's guard drops tunnelled packets from %s, which is no peer's address", p.src)
	}
	return map[netdump.Action]string{netdump.Drop: "drops it", netdump.Reject: "rejects it"}[h.does.Does]
}

func stopRemedy(h hit) string {
	switch {
	case owned.IsTableName(h.chain.Table):
		return "'weft status' shows the peers' addresses; the sender's agent must hold a lease with this address"
	case h.rule.Text == "":
		return "accept the network's packets in this chain: docs/guides/firewall.md has the rules"
	}
	return fmt.Sprintf("change the rule, or remove it: nft delete rule %s handle %d", h.chain.Place(), h.rule.Handle)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
