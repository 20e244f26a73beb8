package main

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// floor puts the rows of peers into a namespace with nothing but the kernel in
// the way: requests made up beforehand, sent by one thread, nothing read, nothing
// decided. It returns how long the kernel took.
func floor(w *world, backend string, peers []peer) (took time.Duration, err error) {
	err = w.ns.Do(func() error {
		r, err := openRTNetlink()
		if err != nil {
			return err
		}
		defer r.close()
		dev, err := netlink.LinkByName(uplink)
		if err != nil {
			return err
		}
		start := time.Now()
		index := uint32(dev.Attrs().Index)
		if backend == vxlanBackend {
			if index, err = tunnelDevice(index); err != nil {
				return err
			}
		}
		made := time.Since(start)
		batches := floorBatches(backend, peers, index)
		start = time.Now()
		for _, b := range batches {
			if err := r.do(b); err != nil {
				return err
			}
		}
		took = made + time.Since(start)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("add the objects of the floor: %w", err)
	}
	return took, nil
}

// tunnelDevice makes the device that a vxlan network needs, up and addressed.
func tunnelDevice(lower uint32) (uint32, error) {
	link := &netlink.Vxlan{
		LinkAttrs:    netlink.LinkAttrs{Name: "flannel.1", MTU: 1450},
		VxlanId:      1,
		VtepDevIndex: int(lower),
		SrcAddr:      net.IP(agentAddr.AsSlice()),
		Port:         8472,
	}
	if err := netlink.LinkAdd(link); err != nil {
		return 0, err
	}
	own := &netlink.Addr{IPNet: &net.IPNet{IP: net.IP(ownSubnet.Addr().AsSlice()), Mask: net.CIDRMask(32, 32)}}
	if err := netlink.AddrAdd(link, own); err != nil {
		return 0, err
	}
	return uint32(link.Attrs().Index), netlink.LinkSetUp(link)
}

// rtaNHID is RTA_NH_ID of linux/rtnetlink.h.
const rtaNHID = 30

// floorBatches makes up the requests, in the order in which rows stand on each
// other. Routes go through nexthop objects, since that is by far the fastest
// way that the kernel has.
func floorBatches(backend string, peers []peer, index uint32) []*batch {
	var neighs, fdb, hops, routes batch
	const put = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
	for i, p := range peers {
		gateway, flags := p.public, uint32(0)
		if backend == vxlanBackend {
			gateway, flags = p.subnet.Addr(), unix.RTNH_F_ONLINK
			neighs.add(unix.RTM_NEWNEIGH, put, neighHeader(unix.AF_INET, index, unix.NUD_PERMANENT, 0))
			neighs.attr(unix.NDA_DST, addr(gateway))
			neighs.attr(unix.NDA_LLADDR, p.mac[:])
			fdb.add(unix.RTM_NEWNEIGH, put, neighHeader(unix.AF_BRIDGE, index, unix.NUD_PERMANENT, unix.NTF_SELF))
			fdb.attr(unix.NDA_LLADDR, p.mac[:])
			fdb.attr(unix.NDA_DST, addr(p.public))
		}
		id := uint32(1<<30 + i + 1)
		hops.add(unix.RTM_NEWNEXTHOP, put, nexthopHeader(flags))
		hops.attr32(unix.NHA_ID, id)
		hops.attr32(unix.NHA_OIF, index)
		hops.attr(unix.NHA_GATEWAY, addr(gateway))
		routes.add(unix.RTM_NEWROUTE, put, routeHeader(unix.AF_INET, uint8(p.subnet.Bits()), weftProtocol))
		routes.attr(unix.RTA_DST, addr(p.subnet.Addr()))
		routes.attr32(rtaNHID, id)
	}
	return []*batch{&neighs, &fdb, &hops, &routes}
}

func addr(a netip.Addr) []byte { return a.AsSlice() }
