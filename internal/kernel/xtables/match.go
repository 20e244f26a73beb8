package xtables

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/weft-net/weft/internal/host"
)

// maxRules is how many rules of a chain and of those that it leads to are
// looked at. Chains that lead to others by many ways have more than they look.
const maxRules = 20000

// flattener gathers the rules that stop packets, of a chain and of those that
// it leads to.
type flattener struct {
	listing
	looked int
	out    []host.Rule
}

// stops returns the rules by which packets are stopped in a chain of a family.
func (l listing) stops(chain, family string) []host.Rule {
	f := flattener{listing: l}
	f.chain(chain, host.Match{Family: family}, nil)
	if l.policies[chain] == "DROP" {
		f.out = append(f.out, host.Rule{Stops: "policy drop"})
	}
	return f.out
}

func (f *flattener) chain(name string, when host.Match, by []string) {
	if slices.Contains(by, name) {
		return
	}
	by = append(slices.Clip(by), name)
	for _, r := range f.rules[name] {
		if f.looked++; f.looked == maxRules {
			f.out = append(f.out, host.Rule{Stops: "chain " + name + " has too many rules to judge", When: host.Match{Opaque: true}})
		}
		if f.looked >= maxRules {
			return
		}
		all := when.And(r.match())
		switch t := r.target(); {
		case all.Never:
		case t == "DROP" || t == "REJECT":
			f.out = append(f.out, host.Rule{Stops: strings.ToLower(t) + " in chain " + name, When: all})
		case t != "" && f.rules[t] != nil:
			f.chain(t, all, by)
		}
	}
}

// match returns what r requires of packets. What is not understood makes it
// opaque, so that it never claims more than r does.
func (r rule) match() (m host.Match) {
	for i := 0; i < len(r); i++ {
		not := r[i] == "!"
		if not {
			i++
		}
		if i+1 >= len(r) {
			m.Opaque = true
			break
		}
		switch flag, value := r[i], r[i+1]; {
		case flag == "-j" || flag == "-g":
			return m // what follows is about the target
		case flag == "-m" || flag == "--comment":
			i++
		case value == "!" || strings.HasPrefix(value, "-"): // a flag without a value
			inverted := flag == "--invert"
			m = m.And(host.Match{Unrouted: inverted, Never: inverted && slices.Contains(r, "--loose"), Opaque: true})
		default:
			m = m.And(argument(flag, value, not))
			i++
		}
	}
	return m
}

// argument returns what one flag requires.
func argument(flag, value string, not bool) (m host.Match) {
	ok := false
	switch flag {
	case "-s":
		m.Src, ok = addresses(value, not)
	case "-d":
		m.Dst, ok = addresses(value, not)
	case "-p":
		m.Protos, ok = protocol(value)
		ok = ok && !not
	case "-i", "-o":
		name := []string{strings.Replace(value, "+", "*", 1)}
		if ok = !not; flag == "-i" {
			m.In = name
		} else {
			m.Out = name
		}
	case "--dport", "--dports":
		m.Ports, ok = ports(value)
		ok = ok && !not
	case "--dst-type":
		m.Local = value == "LOCAL" && !not
		ok = m.Local
	case "--ctstate", "--state":
		m.States, m.Opaque = states(value, not)
		ok = m.States != 0
	}
	if !ok {
		return host.Match{Opaque: true}
	}
	return m
}

func addresses(value string, not bool) (a host.Addrs, ok bool) {
	p, err := netip.ParsePrefix(value)
	if not {
		a.Not = []netip.Prefix{p.Masked()}
	} else {
		a.In = []netip.Prefix{p.Masked()}
	}
	return a, err == nil
}

var protocols = map[string]uint8{"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "sctp": 132}

func protocol(value string) ([]uint8, bool) {
	n, known := protocols[value]
	if number, err := strconv.ParseUint(value, 10, 8); err == nil && number > 0 {
		n, known = uint8(number), true
	}
	return []uint8{n}, known
}

// ports reads "22", "22:25" and "22,80:90".
func ports(value string) (out []host.PortRange, ok bool) {
	for word := range strings.SplitSeq(value, ",") {
		first, last, isRange := strings.Cut(word, ":")
		if !isRange {
			last = first
		}
		a, err := strconv.ParseUint(first, 10, 16)
		b, err2 := strconv.ParseUint(last, 10, 16)
		if err != nil || err2 != nil {
			return nil, false
		}
		out = append(out, host.PortRange{First: uint16(a), Last: uint16(b)})
	}
	return out, true
}

var stateBits = map[string]host.State{
	"INVALID": host.Invalid, "ESTABLISHED": host.Established, "RELATED": host.Related, "NEW": host.New, "UNTRACKED": host.Untracked,
}

const anyState = host.Invalid | host.Established | host.Related | host.New | host.Untracked

// states reads a list of states. Those of translated addresses (SNAT, DNAT)
// may come beside any other.
func states(value string, not bool) (out host.State, opaque bool) {
	for word := range strings.SplitSeq(value, ",") {
		out |= stateBits[word]
		opaque = opaque || stateBits[word] == 0
	}
	switch {
	case not:
		return anyState &^ out, opaque
	case opaque:
		return 0, true
	}
	return out, false
}
