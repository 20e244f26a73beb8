package xtables

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// listing is what the program prints for -S: a table's chains with their
// policies, and their rules in order.
type listing struct {
	policies map[string]string
	rules    map[string][]rule
}

// rule is a rule as arguments of the program, from behind the chain's name on.
type rule []string

func parseListing(text string) listing {
	l := listing{map[string]string{}, map[string][]rule{}}
	for _, words := range split(text) {
		switch {
		case len(words) == 3 && words[0] == "-P":
			l.policies[words[1]] = words[2]
		case len(words) > 2 && words[0] == "-A":
			l.rules[words[1]] = append(l.rules[words[1]], words[2:])
		}
	}
	return l
}

// split cuts what the program prints into lines, and these into words. A word
// with other characters than letters, digits, hyphens and underscores is
// printed in quotes, and a backslash stands before quotes and backslashes in
// it (xtables_save_string of libxtables).
func split(text string) (lines [][]string) {
	var words []string
	var word strings.Builder
	quoted, escaped, open := false, false, false
	for _, c := range text + "\n" {
		switch {
		case !escaped && c == '\\':
			escaped = true
		case !escaped && c == '"':
			quoted, open = !quoted, true
		case escaped, quoted, c != ' ' && c != '\n':
			word.WriteRune(c)
			escaped, open = false, true
		default:
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
			if c == '\n' && words != nil {
				lines, words = append(lines, words), nil
			}
		}
	}
	return lines
}

// value returns what follows a flag, "" if it is not there.
func (r rule) value(flags ...string) string {
	for i, w := range r[:max(0, len(r)-1)] {
		if slices.Contains(flags, w) {
			return r[i+1]
		}
	}
	return ""
}

// target returns where the rule sends packets.
func (r rule) target() string { return r.value("-j", "-g", "--jump", "--goto") }

// tag returns the rule's comment if it is the name of a table of weft's.
func (r rule) tag() string {
	if c := r.value("--comment"); owned.IsTableName(c) {
		return c
	}
	return ""
}

// body reads a rule of ours; one of another form is told by its text.
func (r rule) body() netstate.Body {
	b := netstate.Body{Counter: true, Comment: r.tag()}
	if p, err := netip.ParsePrefix(r.value("-s")); err == nil {
		b.Src = netstate.From(p)
	}
	if p, err := netip.ParsePrefix(r.value("-d")); err == nil {
		b.Dst = netstate.From(p)
	}
	if port, err := strconv.ParseUint(r.value("--dport"), 10, 16); err == nil {
		b.UDPPort = uint16(port)
	}
	if b.UDPPort == 0 && slices.Contains(namesOfIPIP, r.value("-p")) {
		b.Proto = unix.IPPROTO_IPIP
		r = slices.Clone(r)
		r[slices.Index(r, "-p")+1] = fmt.Sprint(b.Proto)
	}
	if !slices.Equal(r, arguments(b)) {
		return netstate.Body{Unknown: cmp.Or(strings.Join(r, "_"), "_")}
	}
	return b
}

// namesOfIPIP is how the program prints protocol 4, by the host's /etc/protocols.
var namesOfIPIP = []string{"4", "ipencap", "ipip", "ipv4"}

// arguments returns the rule that accepts what b does, in the form and order
// in which the program prints it.
func arguments(b netstate.Body) (r rule) {
	if !b.Src.Any() {
		r = append(r, "-s", b.Src.Prefix.String())
	}
	if !b.Dst.Any() {
		r = append(r, "-d", b.Dst.Prefix.String())
	}
	if b.UDPPort != 0 {
		r = append(r, "-p", "udp", "-m", "udp", "--dport", fmt.Sprint(b.UDPPort))
	}
	if b.Proto != 0 {
		r = append(r, "-p", fmt.Sprint(b.Proto))
	}
	return append(r, "-m", "comment", "--comment", b.Comment, "-j", "ACCEPT")
}

// head is where rules of ours stand in a chain: ahead of all others, but
// behind those that lead to Kubernetes' own rules and its network policies.
func (l listing) head(chain string) int {
	for i, r := range slices.Backward(l.rules[chain]) {
		if host.IsPolicy(r.target()) {
			return i + 1
		}
	}
	return 0
}

// prefixes returns the sources and destinations that rules of a chain name.
func (l listing) prefixes(chain string) (out []netip.Prefix) {
	for _, r := range l.rules[chain] {
		for _, flag := range []string{"-s", "-d"} {
			if p, err := netip.ParsePrefix(r.value(flag)); err == nil {
				out = append(out, p)
			}
		}
	}
	return out
}
