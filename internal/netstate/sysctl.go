package netstate

import (
	"cmp"
	"path"
	"strings"
)

// Sysctl is a kernel parameter, identified by its name below /proc/sys. One that
// is no longer wanted keeps its value; what it was before, the agent remembers
// and 'weft clean' puts back.
type Sysctl struct {
	Name   string // with slashes, since device names may hold dots: "net/ipv4/ip_forward"
	Value  string
	Unless string // of a wanted parameter: a value that will do as well and stays; "": none
}

// compare orders by the parameter first: accept_ra must be right before
// forwarding is turned on.
func (s Sysctl) Compare(o Sysctl) int {
	return cmp.Or(strings.Compare(path.Base(s.Name), path.Base(o.Name)), strings.Compare(s.Name, o.Name))
}

// String renders e.g. "sysctl net/ipv4/ip_forward 1", "sysctl
// net/ipv6/conf/eth0/accept_ra 2 unless 0".
func (s Sysctl) String() string {
	text := "sysctl " + s.Name + " " + s.Value
	if s.Unless != "" {
		text += " unless " + s.Unless
	}
	return text
}

// Allows reports whether a parameter with that value is as s wants it.
func (s Sysctl) Allows(value string) bool {
	return value == s.Value || s.Unless != "" && value == s.Unless
}

// allows reports whether have, as the kernel has it, need not be changed. A
// parameter as it was wanted before does not tell which value the kernel has.
func (s Sysctl) allows(have Sysctl) bool { return have.Unless == "" && s.Allows(have.Value) }

// on returns s of the device dev; a general one has none and stays as it is.
func (s Sysctl) on(dev string) Sysctl {
	if dev == s.Dev() {
		return s
	}
	parts := strings.Split(s.Name, "/")
	parts[3] = dev
	s.Name = strings.Join(parts, "/")
	return s
}

// Dev returns the device that the parameter belongs to, "" for a general one;
// "all" and "default" are none.
func (s Sysctl) Dev() string {
	parts := strings.Split(s.Name, "/")
	if len(parts) < 5 || parts[0] != "net" || parts[2] != "conf" || parts[3] == "all" || parts[3] == "default" {
		return ""
	}
	return parts[3]
}
