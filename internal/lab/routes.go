package lab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Routes lists the routes of the node's main table, one line each in the manner of ip(8), IPv4
// first. Link-local and multicast routes of IPv6 are left out.
func (n *Node) Routes() ([]string, error) {
	var out []string
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		var lines []string
		err := n.Do(func() error {
			routes, err := netlink.RouteList(nil, family)
			if err != nil {
				return err
			}
			for _, r := range routes {
				if r.Dst != nil && (r.Dst.IP.IsLinkLocalUnicast() || r.Dst.IP.IsMulticast()) {
					continue
				}
				lines = append(lines, routeLine(r))
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("%s: list its routes: %w", n.Name, err)
		}
		slices.Sort(lines)
		out = append(out, lines...)
	}
	return out, nil
}

// routeLine must run in the route's namespace, where its device has its name.
func routeLine(r netlink.Route) string {
	words := []string{"default"}
	if r.Dst != nil {
		if ones, _ := r.Dst.Mask.Size(); ones > 0 {
			words[0] = r.Dst.String()
		}
	}
	if r.Gw != nil {
		words = append(words, "via", r.Gw.String())
	}
	if link, err := netlink.LinkByIndex(r.LinkIndex); err == nil {
		words = append(words, "dev", link.Attrs().Name)
	}
	if r.Protocol == unix.RTPROT_KERNEL {
		words = append(words, "proto kernel")
	}
	if r.Flags&unix.RTNH_F_ONLINK != 0 {
		words = append(words, "onlink")
	}
	if r.Flags&unix.RTNH_F_LINKDOWN != 0 {
		words = append(words, "linkdown")
	}
	return strings.Join(words, " ")
}
