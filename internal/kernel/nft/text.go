package nft

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

// ruleText is a rule in nft(8)'s form, as far as its expressions are known here; the
// names of the others stand in brackets.
func ruleText(r rule) string {
	p := rulePrinter{family: r.family}
	for i := range r.list {
		p.take(&r.list[i])
	}
	if r.comment != "" {
		p.say("comment %q", r.comment)
	}
	return strings.Join(p.words, " ")
}

// rulePrinter prints expressions from left to right.
type rulePrinter struct {
	family uint8
	proto  string // of the transport header, once it is matched
	loads  []*expression
	mask   []byte
	value  []byte // put into a register
	fresh  bool   // nothing was compared with what was loaded last
	words  []string
}

func (p *rulePrinter) say(format string, args ...any) {
	p.words = append(p.words, fmt.Sprintf(format, args...))
}

// match says what the registers' field is compared with. A protocol that the field implies
// is left out, as nft(8) does.
func (p *rulePrinter) match(format string, args ...any) {
	field := p.field()
	if last := len(p.words) - 1; last >= 0 {
		first, _, _ := strings.Cut(field, " ")
		implied := map[string]string{"ip": "meta nfproto ipv4", "ip6": "meta nfproto ipv6"}[first]
		if p.words[last] == implied || p.words[last] == "meta l4proto "+first {
			p.words = p.words[:last]
		}
	}
	p.say("%s %s", field, fmt.Sprintf(format, args...))
}

func (p *rulePrinter) take(e *expression) {
	switch e.name {
	case "meta", "payload", "ct", "fib":
		if e.odd && e.name == "meta" {
			p.say("meta %s set 0x%s", metaNames[e.key], number(p.value))
			return
		}
		if !p.fresh {
			p.loads = nil
		}
		p.loads, p.mask, p.fresh = append(p.loads, e), nil, true
	case "bitwise":
		p.mask = e.mask
	case "cmp":
		p.fresh = false
		p.compare(e)
	case "range":
		p.fresh = false
		p.match("%s%s-%s", p.operator(e.op), p.show(e.value), p.show(e.to))
	case "lookup":
		p.fresh = false
		p.lookup(e)
	case "immediate":
		p.immediate(e)
	case "match":
		p.say("xt match %q", e.target)
	case "target":
		p.say("xt target %q", e.target)
	case "masq":
		p.say("masquerade")
	case "redir":
		p.say("redirect")
	case "nat":
		p.nat(e)
	case "counter", "reject", "log", "notrack", "queue", "limit", "quota", "synproxy", "tproxy":
		p.say("%s", e.name)
	default:
		p.say("[ %s ]", e.name)
	}
}

func (p *rulePrinter) compare(e *expression) {
	if len(p.loads) == 1 && e.op == unix.NFT_CMP_EQ && p.mask == nil {
		switch l := p.loads[0]; {
		case l.name == "meta" && l.key == unix.NFT_META_NFPROTO && len(e.value) == 1:
			p.family = e.value[0]
		case l.name == "meta" && l.key == unix.NFT_META_L4PROTO && len(e.value) == 1:
			p.proto = protocols[e.value[0]]
		}
	}
	p.match("%s%s", p.operator(e.op), p.show(e.value))
}

func (p *rulePrinter) lookup(e *expression) {
	word := "@"
	switch {
	case e.verdicts:
		word = "vmap @"
	case e.odd:
		word = "map @"
	case e.flags&invertedLookup != 0:
		word = "!= @"
	}
	p.match("%s%s", word, e.set)
}

func (p *rulePrinter) immediate(e *expression) {
	switch {
	case e.odd:
		p.value = e.value
	case e.chain != "" && e.code == verdictGoto:
		p.say("goto %s", e.chain)
	case e.chain != "":
		p.say("jump %s", e.chain)
	default:
		p.say("%s", map[int32]string{verdictAccept: "accept", verdictDrop: "drop", verdictReturn: "return"}[e.code])
	}
}

func (p *rulePrinter) nat(e *expression) {
	word, to := "dnat to", p.show(p.value)
	if e.kind == natSource {
		word = "snat to"
	}
	if p.value == nil {
		to = p.field()
	} else if a, ok := netip.AddrFromSlice(p.value); ok {
		to = a.String()
	}
	p.say("%s %s", word, to)
}

// operator is that of a comparison; equality has none.
func (p *rulePrinter) operator(op uint32) string {
	names := []string{"", "!= ", "< ", "<= ", "> ", ">= "}
	if int(op) < len(names) {
		return names[op]
	}
	return "? "
}

// field is what the registers hold.
func (p *rulePrinter) field() string {
	var out []string
	for _, l := range p.loads {
		out = append(out, p.fieldOf(l))
	}
	text := strings.Join(out, " . ")
	if p.mask != nil && !p.isPrefix() {
		mask := hex.EncodeToString(p.mask)
		if p.loads[0].name != "payload" {
			mask = number(p.mask)
		}
		text += " & 0x" + mask
	}
	return text
}

func (p *rulePrinter) fieldOf(l *expression) string {
	switch l.name {
	case "meta":
		if name := metaNames[l.key]; name == "iifname" || name == "oifname" || name == "iif" || name == "oif" {
			return name
		} else if name != "" {
			return "meta " + name
		}
		return fmt.Sprintf("meta %d", l.key)
	case "ct":
		text := "ct "
		if l.original {
			text += "original "
		}
		if name := ctNames[l.key]; name != "" {
			return text + name
		}
		return text + fmt.Sprint(l.key)
	case "fib":
		return "fib"
	}
	return p.payload(l)
}

func (p *rulePrinter) payload(l *expression) string {
	type at struct{ base, offset uint32 }
	const network, transport = unix.NFT_PAYLOAD_NETWORK_HEADER, unix.NFT_PAYLOAD_TRANSPORT_HEADER
	fields := map[at]string{{network, srcV4}: "ip saddr", {network, dstV4}: "ip daddr", {network, 9}: "ip protocol", {network, 8}: "ip ttl"}
	if p.family == unix.NFPROTO_IPV6 || l.size == 16 {
		fields = map[at]string{{network, srcV6}: "ip6 saddr", {network, dstV6}: "ip6 daddr", {network, 6}: "ip6 nexthdr"}
	}
	proto := p.proto
	if proto == "" {
		proto = "th"
	}
	fields[at{transport, 0}], fields[at{transport, 2}] = proto+" sport", proto+" dport"
	if strings.HasPrefix(proto, "icmp") {
		fields[at{transport, 0}] = proto + " type"
	}
	if name := fields[at{l.base, l.offset}]; name != "" {
		return name
	}
	return fmt.Sprintf("@%s,%d,%d", map[uint32]string{0: "ll", 1: "nh", 2: "th"}[l.base], 8*l.offset, 8*l.size)
}

// isPrefix reports whether the mask is that of a prefix of addresses.
func (p *rulePrinter) isPrefix() bool {
	_, ok := (&bodyReader{load: p.loads[0], mask: p.mask}).prefix(make([]byte, len(p.mask)), p.loads[0].size)
	return ok && p.loads[0].name == "payload" && (len(p.mask) == 4 || len(p.mask) == 16)
}

// show is a value in the form of what it is compared with.
func (p *rulePrinter) show(v []byte) string {
	if len(p.loads) != 1 || v == nil {
		return "0x" + hex.EncodeToString(v)
	}
	l := p.loads[0]
	switch {
	case l.name == "meta":
		return showMeta(l.key, v)
	case l.name == "ct" && l.key == unix.NFT_CT_STATE && len(v) == 4:
		return "0x" + number(v)
	case l.name == "payload" && l.base == unix.NFT_PAYLOAD_NETWORK_HEADER && (l.offset >= srcV6 || l.size == 16):
		full := uint32(4)
		if p.family == unix.NFPROTO_IPV6 || l.size == 16 {
			full = 16
		}
		if pre, ok := (&bodyReader{load: l, mask: p.mask}).prefix(v, full); ok && pre.IsSingleIP() {
			return pre.Addr().String()
		} else if ok {
			return pre.String()
		}
	case l.name == "payload" && l.base == unix.NFT_PAYLOAD_TRANSPORT_HEADER && len(v) == 2:
		return fmt.Sprint(portOf(v))
	case l.name == "payload" && l.offset == 9 && len(v) == 1 && protocols[v[0]] != "":
		return protocols[v[0]]
	}
	return "0x" + hex.EncodeToString(v)
}

func showMeta(key uint32, v []byte) string {
	switch {
	case key == unix.NFT_META_IIFNAME || key == unix.NFT_META_OIFNAME:
		return fmt.Sprintf("%q", nameOf(v))
	case key == unix.NFT_META_L4PROTO && len(v) == 1 && protocols[v[0]] != "":
		return protocols[v[0]]
	case key == unix.NFT_META_NFPROTO && len(v) == 1:
		return map[uint8]string{unix.NFPROTO_IPV4: "ipv4", unix.NFPROTO_IPV6: "ipv6"}[v[0]]
	}
	return "0x" + number(v)
}

// number is a value in the host's byte order.
func number(v []byte) string {
	if len(v) == 4 {
		return fmt.Sprintf("%x", binary.NativeEndian.Uint32(v))
	}
	return hex.EncodeToString(v)
}

var (
	protocols = map[uint8]string{1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 58: "icmpv6", 132: "sctp"}
	metaNames = map[uint32]string{
		unix.NFT_META_PROTOCOL: "protocol", unix.NFT_META_MARK: "mark", unix.NFT_META_IIF: "iif", unix.NFT_META_OIF: "oif",
		unix.NFT_META_IIFNAME: "iifname", unix.NFT_META_OIFNAME: "oifname", unix.NFT_META_SKUID: "skuid", unix.NFT_META_NFPROTO: "nfproto",
		unix.NFT_META_L4PROTO: "l4proto", unix.NFT_META_NFTRACE: "nftrace", unix.NFT_META_PKTTYPE: "pkttype", unix.NFT_META_LEN: "length",
	}
	ctNames = map[uint32]string{
		unix.NFT_CT_STATE: "state", unix.NFT_CT_DIRECTION: "direction", unix.NFT_CT_STATUS: "status", unix.NFT_CT_MARK: "mark",
		unix.NFT_CT_DST_IP: "ip daddr", unix.NFT_CT_DST_IP6: "ip6 daddr",
	}
)

// elementText is a member of a set: as an address or port if it may be one.
func elementText(e element) string {
	text := "*"
	if a, ok := netip.AddrFromSlice(e.key); ok {
		text = a.String()
	} else if e.key != nil {
		text = "0x" + hex.EncodeToString(e.key)
	}
	if e.end {
		text += " (end)"
	}
	if e.chain != "" {
		text += " : jump " + e.chain
	}
	return text
}
