package netconf

import (
	"encoding/json"
	"net/netip"
)

// Masquerade tells which packets that leave or enter the network are
// masqueraded. Whether a host masquerades at all is set on the host (--ip-masq).
type Masquerade struct {
	Except  []netip.Prefix // destinations outside that see the container's own address; masked
	Nodes   bool           // so do the hosts of the network and what is on-link to them
	Inbound Choice         // a client outside is shown to containers under the host's address
}

// Choice is a setting that may be left open.
type Choice uint8

// The choices.
const (
	Unsaid Choice = iota
	Yes
	No
)

// Or returns whether the choice is Yes, and otherwise if it is open.
func (c Choice) Or(otherwise bool) bool {
	if c == Unsaid {
		return otherwise
	}
	return c == Yes
}

// NodesName is the entry of Masquerade.Except for the hosts of the network.
const NodesName = "nodes"

// parseMasquerade reads the Masquerade object of a network of the given
// ranges. It also returns the keys in it that are unknown.
func parseMasquerade(o *object, ranges []Range) (Masquerade, []string) {
	raw := o.take("Masquerade")
	if raw == nil {
		return Masquerade{}, nil
	}
	if raw[0] != '{' {
		o.refuse("Masquerade", raw, `must be an object, such as {"Except": ["192.168.0.0/16", "nodes"]}`)
		return Masquerade{}, nil
	}
	in := newObject("Masquerade.", raw)
	var m Masquerade
	var words []string
	if list := in.take("Except"); list != nil && json.Unmarshal(list, &words) != nil {
		in.refuse("Except", list, `must be a list of CIDRs in quotes, such as ["192.168.0.0/16", "nodes"]`)
	}
	for _, w := range words {
		if w == NodesName {
			m.Nodes = true
		} else if p, ok := parseExcept(in, w, ranges); ok {
			m.Except = append(m.Except, p)
		}
	}
	m.Inbound = in.choice("Inbound")
	o.include(in)
	return m, in.rest()
}

// parseExcept reads one destination.
func parseExcept(o *object, s string, ranges []Range) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		o.refuse("Except", s, "must be a CIDR, such as 192.168.0.0/16, or %q", NodesName)
		return p, false
	}
	p = p.Masked()
	if !hasFamily(ranges, FamilyOf(p.Addr())) {
		o.refuse("Except", s, "is of family %s, which the network does not have", FamilyOf(p.Addr()))
		return p, false
	}
	for _, r := range ranges {
		if p.Bits() <= r.Network.Bits() && p.Overlaps(r.Network) {
			o.refuse("Except", s, "holds the whole network %s; leave out what is within, or do without --ip-masq", r.Network)
			return p, false
		}
	}
	return p, true
}

func hasFamily(ranges []Range, f Family) bool {
	for _, r := range ranges {
		if r.Family() == f {
			return true
		}
	}
	return false
}

// choice reads a key that is true, false or absent.
func (o *object) choice(key string) Choice {
	raw := o.take(key)
	switch string(raw) {
	case "":
		return Unsaid
	case "true":
		return Yes
	case "false":
		return No
	}
	o.refuse(key, raw, "must be true or false, without quotes")
	return Unsaid
}
