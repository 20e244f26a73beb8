package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// LinkDown takes a device of the node down; the kernel drops the routes on it.
func (n *Node) LinkDown(dev string) error { return n.link("take down", dev, netlink.LinkSetDown) }

// LinkUp brings a device of the node up again. Routes that LinkDown removed are not restored.
func (n *Node) LinkUp(dev string) error { return n.link("bring up", dev, netlink.LinkSetUp) }

// LinkUp brings a device up again, for the uplink with the host's default routes.
func (h *Host) LinkUp(dev string) error {
	if err := h.Node.LinkUp(dev); err != nil {
		return err
	}
	if dev != Uplink {
		return nil
	}
	return h.addGateways()
}

// DeleteLink removes a device of the node.
func (n *Node) DeleteLink(dev string) error { return n.link("delete", dev, netlink.LinkDel) }

// DeleteRoute removes the route to exactly dst from the node's main table.
func (n *Node) DeleteRoute(dst netip.Prefix) error {
	err := n.Do(func() error { return netlink.RouteDel(&netlink.Route{Dst: ipNet(dst)}) })
	if err != nil {
		return fmt.Errorf("%s: delete the route to %s: %w", n.Name, dst, err)
	}
	return nil
}

// Unplug takes the carrier from the host's uplink; its routes stay.
func (l *Lab) Unplug(h *Host) error { return l.fabric.LinkDown(h.Name) }

// Replug undoes Unplug.
func (l *Lab) Replug(h *Host) error { return l.fabric.LinkUp(h.Name) }

// Cut stops a whole segment: no frame passes between any two of its members. All devices stay
// up.
func (l *Lab) Cut(segment string) error { return l.fabric.LinkDown(bridgeOf(segment)) }

// Restore undoes Cut.
func (l *Lab) Restore(segment string) error { return l.fabric.LinkUp(bridgeOf(segment)) }

// SegmentNames lists the segments in the topology's order.
func (l *Lab) SegmentNames() []string {
	var names []string
	for _, s := range l.Topology.Segments {
		names = append(names, s.Name)
	}
	return names
}

// SetCut takes a host's uplink its carrier, or stops a whole segment; or undoes
// that and BreakChecksums, which may not be needed. No device on a host changes, but for its carrier.
func (l *Lab) SetCut(name string, cut bool) error {
	host, segment := l.Replug, l.Restore
	if cut {
		host, segment = l.Unplug, l.Cut
	}
	var err error
	switch h := l.hosts[name]; {
	case h != nil && !cut:
		err = errors.Join(host(h), l.RepairChecksums(h))
	case h != nil:
		err = host(h)
	case slices.Contains(l.SegmentNames(), name):
		err = segment(name)
	default:
		err = fmt.Errorf("the lab has no host or segment %q; its hosts are %v, its segments %v", name, l.HostNames(), l.SegmentNames())
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = slices.DeleteFunc(l.cut, func(other string) bool { return other == name })
	if cut {
		l.cut = append(l.cut, name)
	}
	return nil
}

// IsCut lists what SetCut has cut, in the order of that.
func (l *Lab) IsCut() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.cut)
}

// Drop drops all packets between two hosts in both directions; both still reach
// all other hosts. The switch separates hosts on one segment; this also separates any other hosts
// of that segment that are in a Drop.
func (l *Lab) Drop(a, b *Host) error { return l.drop(a, b, true) }

// Undrop undoes Drop.
func (l *Lab) Undrop(a, b *Host) error { return l.drop(a, b, false) }

func (l *Lab) drop(a, b *Host, on bool) error {
	if a.segment.Name != b.segment.Name {
		return l.dropRouted(a, b, on)
	}
	for _, h := range []*Host{a, b} {
		isolate := func(port netlink.Link) error { return netlink.LinkSetIsolated(port, on) }
		if err := l.fabric.link("isolate", h.Name, isolate); err != nil {
			return err
		}
	}
	return nil
}

// dropRouted makes the router blackhole packets from one host's addresses to the other's.
func (l *Lab) dropRouted(a, b *Host, on bool) error {
	for _, from := range append(a.Addrs[:len(a.Addrs):len(a.Addrs)], b.Addrs...) {
		for _, to := range append(a.Addrs[:len(a.Addrs):len(a.Addrs)], b.Addrs...) {
			if from.Addr().Is6() != to.Addr().Is6() || from == to {
				continue
			}
			if err := l.router.Do(func() error { return blackhole(from.Addr(), to.Addr(), on) }); err != nil {
				return fmt.Errorf("%s: drop packets from %s to %s (%t): %w", l.router.Name, from, to, on, err)
			}
		}
	}
	return nil
}

func blackhole(from, to netip.Addr, on bool) error {
	rule := netlink.NewRule()
	rule.Src = ipNet(netip.PrefixFrom(from, from.BitLen()))
	rule.Dst = ipNet(netip.PrefixFrom(to, to.BitLen()))
	rule.Type = unix.RTN_BLACKHOLE
	rule.Family = unix.AF_INET
	if from.Is6() {
		rule.Family = unix.AF_INET6
	}
	if on {
		return netlink.RuleAdd(rule)
	}
	return netlink.RuleDel(rule)
}

// Counters count a device's traffic since its creation.
type Counters struct {
	RxPackets, TxPackets uint64
	RxBytes, TxBytes     uint64
	Dropped              uint64 // both directions
}

// Counters reads the counters of a device of the node.
func (n *Node) Counters(dev string) (Counters, error) {
	var c Counters
	err := n.link("read the counters of", dev, func(link netlink.Link) error {
		s := link.Attrs().Statistics
		if s == nil {
			return fmt.Errorf("the kernel gave none")
		}
		c = Counters{
			RxPackets: s.RxPackets, TxPackets: s.TxPackets,
			RxBytes: s.RxBytes, TxBytes: s.TxBytes,
			Dropped: s.RxDropped + s.TxDropped,
		}
		return nil
	})
	return c, err
}
