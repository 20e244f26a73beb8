package netstate

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// firewallKind returns the word that begins the line of a row of Firewall.
func firewallKind(r Row) string {
	switch r.(type) {
	case NFTable:
		return "table"
	case Set:
		return "set"
	case Element:
		return "element"
	case Chain:
		return "chain"
	case Rule:
		return "rule"
	case HookRule:
		return "hook"
	case Leftover:
		return "leftover"
	}
	return "row"
}

// parseFirewallRow reads the rest of a row of f; false if kind is not one.
func parseFirewallRow(f *FirewallBuilder, kind string, w *words) bool {
	switch kind {
	case "table":
		f.Tables = append(f.Tables, NFTable{Name: w.next()})
	case "set":
		f.Sets = append(f.Sets, Set{Table: w.next(), Name: w.next(), Type: w.after("type"), Interval: w.has("interval")})
	case "element":
		f.Elements = append(f.Elements, Element{Table: w.next(), Set: w.next(), Prefix: take(w, parseShort)})
	case "chain":
		f.Chains = append(f.Chains, Chain{
			Table: w.next(), Name: w.next(), Type: w.after("type"), Hook: w.after("hook"),
			Priority: takeAfter(w, "priority", parsePriority), Drop: takeAfter(w, "policy", parsePolicy),
		})
	case "rule":
		f.Rules = append(f.Rules, Rule{Table: w.next(), Chain: w.next(), Index: int(take(w, parseUint(31))), Body: parseBody(w)})
	case "hook":
		f.HookRules = append(f.HookRules, HookRule{
			Via: w.next(), Family: w.next(), Table: w.next(), Chain: w.next(),
			Behind: take(w, oneOf("head", "behind")), Body: parseBody(w),
		})
	case "leftover":
		l := Leftover{Via: w.next(), Family: w.next(), Table: w.next()}
		if len(w.left) > 0 {
			l.Chain = w.next()
		}
		f.Leftovers = append(f.Leftovers, l)
	default:
		return false
	}
	return true
}

func parsePriority(s string) (int32, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int32(n), err
}

var parsePolicy = oneOf("accept", "drop")

// oneOf reads a word that is no or yes.
func oneOf(no, yes string) func(string) (bool, error) {
	return func(s string) (bool, error) {
		if s != no && s != yes {
			return false, fmt.Errorf("expected %q or %q", no, yes)
		}
		return s == yes, nil
	}
}

// parseShort reads what shortPrefix wrote.
func parseShort(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		return parseMasked(s)
	}
	a, err := netip.ParseAddr(s)
	if err == nil && a.Zone() != "" {
		err = fmt.Errorf("an address with a zone")
	}
	return netip.PrefixFrom(a, a.BitLen()), err
}

// parseBody reads what Body.String wrote.
func parseBody(w *words) (b Body) {
	if w.has("unknown") {
		b.Unknown = w.next()
		return b
	}
	if hasAll(w, "meta mark") {
		b.Mask = uint32(take(w, skip(w, "&")))
		b.Mark = uint32(takeAfter(w, "==", parseHex))
	}
	b.Src, b.Dst = parseSide(w, "saddr"), parseSide(w, "daddr")
	b.DNAT = hasAll(w, dnatMatch)
	if hasAll(w, origMatch) {
		b.OrigDst = parseSide(w, "daddr")
	}
	b.Unrouted = hasAll(w, unroutedMatch)
	if w.has("udp") {
		b.UDPPort = uint16(takeAfter(w, "dport", parseUint(16)))
	}
	if hasAll(w, protoMatch) {
		b.Proto = uint8(take(w, parseUint(8)))
	}
	if w.has(vniField) {
		b.VNI = uint32(take(w, parseHex))
	}
	b.Counter = w.has("counter")
	b.Verdict = parseVerdict(w, b.V6())
	if w.has("comment") {
		b.Comment = strings.Trim(w.next(), `"`)
	}
	return b
}

// hasAll passes over the words of text, if they are next.
func hasAll(w *words, text string) bool {
	all := strings.Fields(text)
	if len(w.left) < len(all) || !slices.Equal(w.left[:len(all)], all) {
		return false
	}
	w.left = w.left[len(all):]
	return true
}

// skip passes over word and reads the number behind it.
func skip(w *words, word string) func(string) (uint64, error) {
	return func(s string) (uint64, error) {
		if s != word {
			return 0, fmt.Errorf("expected %q", word)
		}
		return parseHex(w.next())
	}
}

func parseHex(s string) (uint64, error) { return strconv.ParseUint(s, 0, 32) }

// parseSide reads the match of one field, if it is next.
func parseSide(w *words, field string) Side {
	if len(w.left) < 2 || w.left[1] != field || w.left[0] != "ip" && w.left[0] != "ip6" {
		return Side{}
	}
	s := Side{V6: w.next() == "ip6"}
	w.next()
	s.Not = w.has("!=")
	if len(w.left) > 0 && strings.HasPrefix(w.left[0], "@") {
		s.Set = w.next()[1:]
		return s
	}
	s.Prefix = take(w, parseShort)
	if w.err == nil && s.Prefix.Addr().Is6() != s.V6 {
		w.err = fmt.Errorf("%s is not of the family that the rule names", s.Prefix)
	}
	return s
}

func parseVerdict(w *words, v6 bool) Verdict {
	switch word := w.next(); word {
	case "accept":
		return Accept
	case "drop":
		return Drop
	case "return":
		return Return
	case "masquerade":
		if w.has("fully-random") {
			return MasqueradeRandom
		}
		return Masquerade
	case "snat":
		family := flag(v6, "ip6", "ip")
		for _, want := range []string{family, "to", family, "saddr"} {
			if !w.has(want) && w.err == nil {
				w.err = fmt.Errorf("expected %q behind snat", want)
			}
		}
		return KeepSource
	default:
		if w.err == nil {
			w.err = fmt.Errorf("%q is no verdict", word)
		}
		return Accept
	}
}
