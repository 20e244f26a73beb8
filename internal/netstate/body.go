package netstate

import (
	"fmt"
	"net/netip"
	"strings"
)

// Verdict is what a rule does with packets that it matches.
type Verdict uint8

// The verdicts.
const (
	Accept           Verdict = iota
	Drop                     //
	Return                   // go on behind the rule that led here, or with the chain's policy
	Masquerade               // take the address of the interface by which the packet leaves
	MasqueradeRandom         // so, with a source port drawn at random
	KeepSource               // settle the connection's source address as it is, so that later NAT leaves it alone
)

// Side matches a packet's source or destination. The zero Side matches any.
type Side struct {
	Not    bool
	V6     bool         // which header the address is in
	Prefix netip.Prefix // masked; or
	Set    string       // a set of the same table
}

// From returns a Side that matches addresses in p.
func From(p netip.Prefix) Side { return Side{V6: p.Addr().Is6(), Prefix: p} }

// FromSet returns a Side that matches the members of a set.
func FromSet(name string, v6 bool) Side { return Side{V6: v6, Set: name} }

// Except returns the Side that matches what s does not.
func (s Side) Except() Side {
	s.Not = !s.Not
	return s
}

// Any reports whether s matches every address.
func (s Side) Any() bool { return s == Side{} }

// Body is what a rule matches and does.
type Body struct {
	Mark, Mask uint32 // packet mark & Mask == Mark; Mask 0: any
	Src, Dst   Side
	UDPPort    uint16 // destination port; 0: any packet
	Proto      uint8  // of the IP header, where UDPPort is 0; 0: any
	VNI        uint32 // VXLAN network identifier; 0: any. Needs UDPPort
	DNAT       bool   // only connections whose destination was translated
	OrigDst    Side   // destination of the connection's first packet as it was sent; a prefix, of the family of Src and Dst
	Unrouted   bool   // only packets whose destination no route leads to, or one that refuses them
	Counter    bool
	Verdict    Verdict
	Comment    string // up to 127 bytes without quotes
	Unknown    string // of an observed rule that has another form: names it; all else is zero then
}

// Prefixes returns the prefixes that the rule matches, or does not match.
func (b Body) Prefixes() (out []netip.Prefix) {
	for _, s := range []Side{b.Src, b.Dst, b.OrigDst} {
		if s.Prefix.IsValid() {
			out = append(out, s.Prefix)
		}
	}
	return out
}

// V6 reports whether the rule is about IPv6.
func (b Body) V6() bool { return b.Src.V6 || b.Dst.V6 }

// String is the rule as nft(8) writes it, without the counter's numbers.
func (b Body) String() string { return b.text("counter") }

func (b Body) text(counter string) string {
	if b.Unknown != "" {
		return "unknown " + b.Unknown
	}
	var w []string
	if b.Mask != 0 {
		w = append(w, fmt.Sprintf("meta mark & 0x%08x == 0x%08x", b.Mask, b.Mark))
	}
	w = append(w, b.Src.words("saddr")...)
	w = append(w, b.Dst.words("daddr")...)
	if b.DNAT {
		w = append(w, dnatMatch)
	}
	if !b.OrigDst.Any() {
		w = append(w, origMatch)
		w = append(w, b.OrigDst.words("daddr")...)
	}
	if b.Unrouted {
		w = append(w, unroutedMatch)
	}
	if b.UDPPort != 0 {
		w = append(w, fmt.Sprintf("udp dport %d", b.UDPPort))
	}
	if b.Proto != 0 {
		w = append(w, fmt.Sprintf("%s %d", protoMatch, b.Proto))
	}
	if b.VNI != 0 {
		w = append(w, fmt.Sprintf("%s 0x%x", vniField, b.VNI))
	}
	if b.Counter {
		w = append(w, counter)
	}
	w = append(w, b.verdict())
	if b.Comment != "" {
		w = append(w, `comment "`+b.Comment+`"`)
	}
	return strings.Join(w, " ")
}

// vniField is where the VNI stands, in bits behind the UDP header's start:
// UDP 64, VXLAN flags and reserved 32 (RFC 7348, section 5).
const vniField = "@th,96,24"

const (
	protoMatch = "meta l4proto"
	dnatMatch  = "ct status dnat"
	origMatch  = "ct original"

	unroutedMatch = "fib daddr oif 0"
)

func (b Body) verdict() string {
	family := flag(b.V6(), "ip6", "ip")
	return [...]string{
		Accept: "accept", Drop: "drop", Return: "return",
		Masquerade: "masquerade", MasqueradeRandom: "masquerade fully-random",
		KeepSource: "snat " + family + " to " + family + " saddr",
	}[b.Verdict]
}

func (s Side) words(field string) []string {
	if s.Any() {
		return nil
	}
	w := []string{flag(s.V6, "ip6", "ip"), field}
	if s.Not {
		w = append(w, "!=")
	}
	if s.Set != "" {
		return append(w, "@"+s.Set)
	}
	return append(w, shortPrefix(s.Prefix))
}
