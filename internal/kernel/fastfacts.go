package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/fastpath"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// FastPath implements host.Source.
func (k *Kernel) FastPath(ctx context.Context) (out host.FastPath, err error) {
	out.Code, out.Missing = fastpath.Code(), k.fast.Missing()
	if out.Missing == "" {
		out.Missing, err = k.ipsec()
	}
	if out.Missing != "" || err != nil {
		return out, err
	}
	out.Inspectors, err = k.nft.Inspectors(ctx)
	if errors.Is(err, host.ErrNoFirewall) {
		err = nil // planning knows of it
	}
	if err != nil {
		return out, err
	}
	if k.legacy.tools.InUse() {
		out.Inspectors = append(out.Inspectors, host.Barrier{
			Via: netstate.ViaLegacy, Family: "inet", Chain: "FORWARD", Hook: "forward",
			Rules: []host.Rule{{Stops: "tables of iptables-legacy are in use", When: host.Match{Opaque: true}}},
		})
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	err = again(ctx, func() (err error) {
		if out.Pods, err = readPods(k.conn); err == nil {
			out.Bridges, err = readPodBridges(k.conn)
		}
		return err
	})
	return out, err
}

// FastCounts returns what became of packets that the programs of a fast path saw:
// how many they took, and how many were left to the kernel, by why.
func (k *Kernel) FastCounts(path string) (fast uint64, slow map[string]uint64, err error) {
	c, err := k.fast.Count(path)
	return c.Fast, c.Slow, err
}

// ipsec returns why IPsec is in the way, "" if it is not.
func (k *Kernel) ipsec() (why string, err error) {
	err = k.ns.do(func() error {
		has, err := hasXFRM()
		if has {
			why = "this host has IPsec policies, by which the kernel may have to encrypt packets"
		}
		return err
	})
	return why, err
}

// readPods finds the pods of this host by the routes to them that the CNI plugin
// has made. One whose MAC nobody knows is left out.
func readPods(conn *rtnl.Conn) (out []host.Pod, err error) {
	devs, err := veths(conn)
	if err != nil {
		return nil, err
	}
	for _, f := range netconf.Families {
		err := codec.Routes{Table: unix.RT_TABLE_MAIN, Protocol: owned.PodProtocol}.Read(conn, afOf(f), func(r codec.Route) {
			if dev, ok := devs[r.Dev]; ok && r.Dst.IsSingleIP() {
				dev.Addr = r.Dst.Addr()
				out = append(out, dev)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	macs, err := podMACs(conn, devs)
	if err != nil {
		return nil, err
	}
	out = slices.DeleteFunc(out, func(p host.Pod) bool { return macs[p.Addr] == netstate.MAC{} })
	for i := range out {
		out[i].MAC = macs[out[i].Addr]
	}
	slices.SortFunc(out, func(a, b host.Pod) int { return a.Addr.Compare(b.Addr) })
	return out, nil
}

// veths returns the devices that may be a pod's, by index.
func veths(conn *rtnl.Conn) (map[int32]host.Pod, error) {
	links, err := readLinks(conn, "veth")
	if err != nil {
		return nil, err
	}
	out := map[int32]host.Pod{}
	for _, l := range links {
		if l.Up && l.master == 0 && len(l.mac) == len(netstate.MAC{}) {
			out[l.index] = host.Pod{Dev: l.kernelName, Via: l.MAC, MTU: l.MTU}
		}
	}
	shaped, err := disciplined(conn)
	for index, dev := range out {
		dev.Shaped = shaped[index]
		out[index] = dev
	}
	return out, err
}

// disciplined returns the devices that have queueing disciplines: what one does to
// packets the fast path would not do, since it passes it by.
func disciplined(conn *rtnl.Conn) (map[int32]bool, error) {
	out := map[int32]bool{}
	var b rtnl.Batch
	b.Message(unix.RTM_GETQDISC, unix.NLM_F_DUMP, make([]byte, sizeofTcMsg)...)
	for m, err := range conn.Dump(&b) {
		if err != nil {
			return nil, fmt.Errorf("list queueing disciplines: %w", err)
		}
		if m.Type != unix.RTM_NEWQDISC || len(m.Data) < sizeofTcMsg {
			continue
		}
		index := int32(native.Uint32(m.Data[4:]))
		for a := range rtnl.Attrs(m.Data[sizeofTcMsg:]).All() {
			if a.Type == unix.TCA_KIND && !bytes.Equal(bytes.TrimRight(a.Value, "\x00"), []byte("noqueue")) {
				out[index] = true
			}
		}
	}
	return out, nil
}

// readPodBridges finds the bridges of containers: no port leads out of the host.
func readPodBridges(conn *rtnl.Conn) (out []host.PodBridge, err error) {
	links, err := readLinks(conn, "")
	if err != nil {
		return nil, err
	}
	addrs, err := readAddresses(conn, 0)
	if err != nil {
		return nil, err
	}
	shaped, err := disciplined(conn)
	outward := leadingOut(links)
	for _, l := range links {
		if l.Kind != "bridge" || !l.Up || l.master != 0 || outward[l.index] {
			continue
		}
		b := host.PodBridge{Dev: l.kernelName, MTU: l.MTU, Shaped: shaped[l.index]}
		for _, a := range addrs {
			if a.Index == l.index && !isLinkLocal6(a) {
				b.Subnets = append(b.Subnets, a.Prefix.Masked())
			}
		}
		if slices.SortFunc(b.Subnets, netip.Prefix.Compare); len(b.Subnets) > 0 {
			b.Subnets = slices.Compact(b.Subnets)
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b host.PodBridge) int { return strings.Compare(a.Dev, b.Dev) })
	return out, err
}

const sizeofTcMsg = 20 // struct tcmsg of linux/rtnetlink.h

// podMACs returns the MACs of what is at the devices, by address.
func podMACs(conn *rtnl.Conn, devs map[int32]host.Pod) (map[netip.Addr]netstate.MAC, error) {
	out := map[netip.Addr]netstate.MAC{}
	all := dumper{conn: conn}
	for _, f := range netconf.Families {
		err := all.entries(afOf(f), func(n codec.Neigh) {
			if _, ours := devs[n.Index]; ours && n.HasMAC {
				out[n.Dst] = n.MAC
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
