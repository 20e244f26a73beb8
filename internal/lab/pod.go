package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
)

// podBridge is the bridge that joins a host's pods, named as CNI's bridge plugin names it.
const podBridge = "cni0"

// firstPod is the number of the first pod's address in its subnet; 1 is the bridge.
const firstPod = 2

// Pod is a container's network: a namespace wired to its host's bridge, with an address out of the
// host's subnet.
type Pod struct {
	*Node
	Host  *Host
	Addrs []netip.Prefix // one a family, v4 first

	attached *attachment // by CNI; nil for a pod of AddPod
}

// Addr is the pod's IPv6 address if is6, else its IPv4 address; ok tells whether it has one.
func (p *Pod) Addr(is6 bool) (addr netip.Addr, ok bool) {
	for _, a := range p.Addrs {
		if a.Addr().Is6() == is6 {
			return a.Addr(), true
		}
	}
	return netip.Addr{}, false
}

// AddPod starts a pod on the host, as a container runtime does after the agent has written
// subnet.env: it makes the bridge for the first pod, and gives the pod the next address. If
// the host's subnet has changed, the bridge gets an address of the new one in addition.
func (h *Host) AddPod(name string) (*Pod, error) {
	subnet, err := h.Subnet()
	if err != nil {
		return nil, fmt.Errorf("pod %s: %w", name, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pods) == 0 {
		if err := h.addPodBridge(subnet); err != nil {
			return nil, fmt.Errorf("pod %s: %w", name, err)
		}
	}
	if err := h.addGatewaysOf(subnet); err != nil {
		return nil, fmt.Errorf("pod %s: %w", name, err)
	}
	node, err := newNode(name)
	if err != nil {
		return nil, err
	}
	pod := &Pod{Node: node, Host: h}
	number := firstPod + len(h.pods)
	for _, gateway := range subnet.Gateways {
		pod.Addrs = append(pod.Addrs, nthOf(gateway, number))
	}
	if err := pod.join(subnet, number); err != nil {
		return nil, errors.Join(fmt.Errorf("pod %s: %w", name, err), node.ns.Close())
	}
	h.pods = append(h.pods, pod)
	return pod, nil
}

// Subnet reads what the agent wrote to the host's subnet.env.
func (h *Host) Subnet() (SubnetEnv, error) {
	text, err := os.ReadFile(h.SubnetFile())
	if err != nil {
		return SubnetEnv{}, fmt.Errorf("read the subnet of %s; does its agent run? %w", h.Name, err)
	}
	subnet, err := ParseSubnetEnv(string(text))
	if err != nil {
		return SubnetEnv{}, fmt.Errorf("%s: %s: %w", h.Name, h.SubnetFile(), err)
	}
	return subnet, nil
}

func (h *Host) addPodBridge(subnet SubnetEnv) error {
	noSnooping := false
	// With a fixed MAC, the bridge keeps it; otherwise it would change its MAC as pods come
	// and go, and the others would not reach their gateway for a while.
	mac := binary.BigEndian.AppendUint64(nil, rand.Uint64())[:6]
	mac[0] = mac[0]&^1 | 2
	attrs := netlink.LinkAttrs{Name: podBridge, MTU: subnet.MTU, HardwareAddr: mac}
	bridge := &netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &noSnooping}
	if err := h.Do(func() error { return netlink.LinkAdd(bridge) }); err != nil {
		return fmt.Errorf("%s: make %s: %w", h.Name, podBridge, err)
	}
	if err := h.Sysctl("net/ipv6/conf/"+podBridge+"/disable_ipv6", "0"); err != nil {
		return err
	}
	return h.link("bring up", podBridge, netlink.LinkSetUp)
}

// addGatewaysOf gives the bridge those addresses of subnet that it has not yet.
func (h *Host) addGatewaysOf(subnet SubnetEnv) error {
	for _, g := range subnet.Gateways {
		if slices.Contains(h.gateways, g) {
			continue
		}
		if err := h.addAddrs(podBridge, []netip.Prefix{g}); err != nil {
			return err
		}
		h.gateways = append(h.gateways, g)
	}
	return nil
}

func (p *Pod) join(subnet SubnetEnv, number int) error {
	port := fmt.Sprintf("veth%d", number)
	if err := wire(p.Node, Uplink, p.Host.Node, port); err != nil {
		return err
	}
	setMTU := func(link netlink.Link) error { return netlink.LinkSetMTU(link, subnet.MTU) }
	if err := p.link("set the MTU of", Uplink, setMTU); err != nil {
		return err
	}
	err := p.Host.link("plug "+port+" into", podBridge, func(bridge netlink.Link) error {
		link, err := netlink.LinkByName(port)
		if err != nil {
			return err
		}
		return errors.Join(netlink.LinkSetMTU(link, subnet.MTU), netlink.LinkSetMaster(link, bridge))
	})
	if err != nil {
		return err
	}
	if err := p.addAddrs(Uplink, p.Addrs); err != nil {
		return err
	}
	return p.addDefaultRoutes(Uplink, subnet.Gateways)
}

// nthOf is the address number n of gateway's subnet.
func nthOf(gateway netip.Prefix, n int) netip.Prefix {
	a := gateway.Masked().Addr()
	for range n {
		a = a.Next()
	}
	return netip.PrefixFrom(a, gateway.Bits())
}

// String names the pod with its addresses.
func (p *Pod) String() string {
	var addrs []string
	for _, a := range p.Addrs {
		addrs = append(addrs, a.Addr().String())
	}
	return p.Name + " (" + strings.Join(addrs, ", ") + ")"
}
