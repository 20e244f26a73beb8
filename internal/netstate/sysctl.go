package netstate

import (
	"cmp"
	"path"
	"strings"
)

// Sysctl is a kernel parameter, identified by its name below /proc/sys. weft
// sets the ones it needs and never puts an old value back: it cannot know who
// else relies on the new one.
type Sysctl struct {
	Name  string // with slashes, since device names may hold dots: "net/ipv4/ip_forward"
	Value string
}

// compare orders by the parameter first: accept_ra must be right before
// forwarding is turned on.
func (s Sysctl) Compare(o Sysctl) int {
	return cmp.Or(strings.Compare(path.Base(s.Name), path.Base(o.Name)), strings.Compare(s.Name, o.Name))
}

// String renders e.g. "sysctl net/ipv4/ip_forward 1".
func (s Sysctl) String() string { return "sysctl " + s.Name + " " + s.Value }

// dev returns the device that the parameter belongs to, "" for a general one.
func (s Sysctl) dev() string {
	parts := strings.Split(s.Name, "/")
	if len(parts) < 5 || parts[0] != "net" || parts[2] != "conf" {
		return ""
	}
	return parts[3]
}
