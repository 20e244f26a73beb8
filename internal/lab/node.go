package lab

import (
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/netns"
)

// Node is anything with a network namespace: a host, a pod, the router, the switch.
type Node struct {
	Name string
	ns   *netns.NS
}

func newNode(name string) (*Node, error) {
	ns, err := netns.New(name)
	if err != nil {
		return nil, err
	}
	n := &Node{Name: name, ns: ns}
	if err := n.settle(); err != nil {
		_ = ns.Close()
		return nil, err
	}
	return n, nil
}

// Open returns a node of a network namespace that another program made, such as a pod of a container
// runtime; path names it. The caller closes it.
func Open(name, path string) (*Node, error) {
	ns, err := netns.Open(name, path)
	if err != nil {
		return nil, err
	}
	return &Node{Name: name, ns: ns}, nil
}

// Close leaves a node of Open as it is. Other nodes end with their lab.
func (n *Node) Close() error { return n.ns.Close() }

// settle makes the namespace's IPv6 usable at once and free of surprises: addresses are not probed
// for duplicates first, and survive their device going down as IPv4 addresses do.
func (n *Node) settle() error {
	for _, scope := range []string{"all", "default"} {
		for key, value := range map[string]string{"accept_dad": "0", "accept_ra": "0", "keep_addr_on_down": "1"} {
			if err := n.Sysctl("net/ipv6/conf/"+scope+"/"+key, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// Do runs f in the node's namespace; see netns.NS.Do for what that covers.
func (n *Node) Do(f func() error) error { return n.ns.Do(f) }

// NetnsPath names the node's network namespace for other programs, until the lab ends.
func (n *Node) NetnsPath() string { return n.ns.Path() }

// Sysctl sets the kernel parameter at path, relative to /proc/sys, in the node.
func (n *Node) Sysctl(path, value string) error {
	err := n.Do(func() error { return os.WriteFile("/proc/sys/"+path, []byte(value), 0) })
	if err != nil {
		return fmt.Errorf("%s: set %s to %s: %w", n.Name, path, value, err)
	}
	return nil
}

// Forward makes the node forward packets of both families.
func (n *Node) Forward() error {
	if err := n.Sysctl("net/ipv4/ip_forward", "1"); err != nil {
		return err
	}
	return n.Sysctl("net/ipv6/conf/all/forwarding", "1")
}

// link calls f with the node's device dev, in the node.
func (n *Node) link(what, dev string, f func(netlink.Link) error) error {
	err := n.Do(func() error {
		link, err := netlink.LinkByName(dev)
		if err != nil {
			return err
		}
		return f(link)
	})
	if err != nil {
		return fmt.Errorf("%s: %s %s: %w", n.Name, what, dev, err)
	}
	return nil
}

func (n *Node) addAddrs(dev string, addrs []netip.Prefix) error {
	return n.link("add addresses to", dev, func(link netlink.Link) error {
		for _, a := range addrs {
			addr := &netlink.Addr{IPNet: ipNet(a)}
			if a.Addr().Is6() {
				addr.Flags = unix.IFA_F_NODAD
			}
			if err := netlink.AddrAdd(link, addr); err != nil {
				return fmt.Errorf("%s: %w", a, err)
			}
		}
		return nil
	})
}

func (n *Node) addRoute(dev string, dst netip.Prefix, via netip.Addr) error {
	return n.link(fmt.Sprintf("add the route to %s via %s on", dst, via), dev, func(link netlink.Link) error {
		return netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(dst), Gw: via.AsSlice()})
	})
}

func (n *Node) addDefaultRoutes(dev string, gateways []netip.Prefix) error {
	for _, g := range gateways {
		everything := netip.PrefixFrom(zeroOf(g.Addr()), 0)
		if err := n.addRoute(dev, everything, g.Addr()); err != nil {
			return err
		}
	}
	return nil
}

// AddRoute adds a route by hand, on whichever device via is reached through.
func (n *Node) AddRoute(dst netip.Prefix, via netip.Addr) error {
	err := n.Do(func() error {
		return netlink.RouteReplace(&netlink.Route{Dst: ipNet(dst), Gw: via.AsSlice()})
	})
	if err != nil {
		return fmt.Errorf("%s: add the route to %s via %s: %w", n.Name, dst, via, err)
	}
	return nil
}

// wire joins devices a.devA and b.devB with a cable. Both come up.
func wire(a *Node, devA string, b *Node, devB string) error {
	veth := &netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: devA},
		PeerName:      devB,
		PeerNamespace: netlink.NsFd(b.ns.FD()),
	}
	if err := a.Do(func() error { return netlink.LinkAdd(veth) }); err != nil {
		return fmt.Errorf("wire %s:%s to %s:%s: %w", a.Name, devA, b.Name, devB, err)
	}
	if err := a.link("bring up", devA, netlink.LinkSetUp); err != nil {
		return err
	}
	return b.link("bring up", devB, netlink.LinkSetUp)
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func zeroOf(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}
