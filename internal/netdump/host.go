package netdump

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/weft-net/weft/internal/host"
)

// Host is the network of a host as the kernel has it.
type Host struct {
	Release  string            `json:"release"` // of the kernel, as uname(1) prints it
	Links    []Link            `json:"links"`
	Addrs    []Addr            `json:"addrs"`
	Routes   []Route           `json:"routes"` // of all tables, in the kernel's order
	Rules    []host.PolicyRule `json:"rules"`
	Neighs   []Neigh           `json:"neighs"`
	FDB      []FDB             `json:"fdb"`
	Ciphers  []WireGuard       `json:"wireguard,omitempty"`
	At       time.Time         `json:"at,omitzero"` // when the copy was made
	Firewall Firewall          `json:"firewall"`
	Legacy   []host.Barrier    `json:"legacy,omitempty"` // chains that only the iptables-legacy program reaches
	Params   map[string]string `json:"params"`           // by names below /proc/sys
}

// Link is a device.
type Link struct {
	Index    int        `json:"index"`
	Name     string     `json:"name"`
	Kind     string     `json:"kind"` // "device" for Ethernet cards and the loopback
	MTU      int        `json:"mtu"`  // bytes
	MAC      string     `json:"mac,omitempty"`
	Up       bool       `json:"up"`
	Carrier  bool       `json:"carrier"`
	Loopback bool       `json:"loopback,omitempty"`
	NoARP    bool       `json:"noarp,omitempty"` // no neighbours are asked for
	Master   string     `json:"master,omitempty"`
	Lower    string     `json:"lower,omitempty"` // of a tunnel
	VNI      uint32     `json:"vni,omitempty"`
	Local    netip.Addr `json:"local,omitzero"`
	Port     uint16     `json:"port,omitempty"`
	Table    uint32     `json:"table,omitempty"` // of a VRF
}

// String renders e.g. "flannel.1: vxlan mtu 1450 up vni 1 local 10.4.7.21 dev eth0 port 8472".
func (l Link) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s mtu %d", l.Name, l.Kind, l.MTU)
	say(&b, l.MAC != "", " mac %s", l.MAC)
	say(&b, l.Up, " up")
	say(&b, !l.Up, " down")
	say(&b, l.Up && !l.Carrier, " no-carrier")
	say(&b, l.Master != "", " master %s", l.Master)
	say(&b, l.Port != 0, " vni %d local %s", l.VNI, l.Local)
	say(&b, l.Kind == "ipip", " local %s", l.Local)
	say(&b, l.Lower != "", " dev %s", l.Lower)
	say(&b, l.Port != 0, " port %d", l.Port)
	say(&b, l.Table != 0, " table %d", l.Table)
	return b.String()
}

// Addr is an address of a device.
type Addr struct {
	Prefix netip.Prefix `json:"prefix"` // not masked
	Dev    string       `json:"dev"`
}

// String renders e.g. "10.5.1.1/24 dev cni0".
func (a Addr) String() string { return fmt.Sprintf("%s dev %s", a.Prefix, a.Dev) }

// Neigh is a neighbour.
type Neigh struct {
	Addr  netip.Addr `json:"addr"`
	MAC   string     `json:"mac,omitempty"`
	Dev   string     `json:"dev"`
	State string     `json:"state"` // as ip(8) prints it, in lower case: "permanent", "reachable", "failed"
}

// String renders e.g. "10.5.7.0 dev flannel.1 lladdr 32:11:d5:cd:3b:c9 permanent".
func (n Neigh) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s dev %s", n.Addr, n.Dev)
	say(&b, n.MAC != "", " lladdr %s", n.MAC)
	return b.String() + " " + n.State
}

// FDB is a forwarding entry of a bridge or a VXLAN device.
type FDB struct {
	MAC string     `json:"mac"`
	Dst netip.Addr `json:"dst,omitzero"` // of a VXLAN device: the host behind which MAC is
	Dev string     `json:"dev"`
}

// String renders e.g. "32:11:d5:cd:3b:c9 dev flannel.1 dst 10.4.8.24".
func (f FDB) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s dev %s", f.MAC, f.Dev)
	say(&b, f.Dst.IsValid(), " dst %s", f.Dst)
	return b.String()
}

func say(b *strings.Builder, is bool, format string, args ...any) {
	if is {
		fmt.Fprintf(b, format, args...)
	}
}

// Link returns the device called name.
func (h *Host) Link(name string) (Link, bool) {
	for _, l := range h.Links {
		if l.Name == name {
			return l, true
		}
	}
	return Link{}, false
}

// Owner returns the device that has an address, "" if none has it.
func (h *Host) Owner(a netip.Addr) string {
	for _, one := range h.Addrs {
		if one.Prefix.Addr() == a {
			return one.Dev
		}
	}
	return ""
}

// Neigh returns the neighbour with an address on a device.
func (h *Host) Neigh(dev string, a netip.Addr) (Neigh, bool) {
	for _, n := range h.Neighs {
		if n.Dev == dev && n.Addr == a {
			return n, true
		}
	}
	return Neigh{}, false
}

// Entry returns the forwarding entry of a device for a MAC that has a destination.
func (h *Host) Entry(dev, mac string) (FDB, bool) {
	for _, f := range h.FDB {
		if f.Dev == dev && f.MAC == mac && f.Dst.IsValid() {
			return f, true
		}
	}
	return FDB{}, false
}
