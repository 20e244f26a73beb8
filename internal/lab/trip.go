package lab

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
)

// VXLANPorts are the UDP ports that the lab's networks use: the kernel's own default, and IANA's.
var VXLANPorts = []uint16{8472, 4789}

// The ways in which pings between two pods were seen to travel.
const (
	PathLocal  = "local"  // both pods are on one host
	PathDirect = "direct" // unwrapped on the wire
	PathVXLAN  = "vxlan"
	PathIPIP   = "ipip"
	PathCipher = "wireguard"
	PathNone   = "none" // never seen on the wire
	PathMixed  = "mixed"
)

// Trip is the outcome of a series of pings from one pod to another, as counted on the sender's uplink.
type Trip struct {
	Tally
	Direct int // requests seen on the wire as they are
	VXLAN  int // requests seen on the wire inside VXLAN
	IPIP   int // requests seen on the wire inside IPv4
	Cipher int // encrypted packets seen to leave, which may be requests
	local  bool
}

// Path names the way that the pings took.
func (t Trip) Path() string {
	switch {
	case min(t.Direct, 1)+min(t.VXLAN, 1)+min(t.IPIP, 1) > 1:
		return PathMixed
	case t.Direct > 0:
		return PathDirect
	case t.VXLAN > 0:
		return PathVXLAN
	case t.IPIP > 0:
		return PathIPIP
	case t.Cipher >= t.Sent && t.Sent > 0 && !t.local:
		return PathCipher
	case t.local:
		return PathLocal
	default:
		return PathNone
	}
}

// Travel sends count pings from pod to pod while it listens on the uplink of the sender's host. is6
// chooses the family; both pods must have an address of it.
func Travel(ctx context.Context, from, to *Pod, is6 bool, count int) (trip Trip, err error) {
	src, srcOK := from.Addr(is6)
	dst, dstOK := to.Addr(is6)
	if !srcOK || !dstOK {
		return Trip{}, fmt.Errorf("ping from %s to %s: both need an address of the family (IPv6: %t)", from, to, is6)
	}
	tap, err := from.Host.Tap(Uplink)
	if err != nil {
		return Trip{}, err
	}
	defer func() {
		if closeErr := tap.Close(); err == nil {
			err = closeErr
		}
	}()
	trip.local = from.Host == to.Host
	if trip.Tally, err = from.Ping(ctx, dst, count); err != nil {
		return trip, err
	}
	frames, err := tap.Frames(VXLANPorts...)
	if err != nil {
		return trip, err
	}
	trip.Direct, trip.VXLAN, trip.IPIP = countRequests(frames, src, dst)
	for _, f := range frames {
		if f.Cipher && slices.ContainsFunc(from.Host.Addrs, func(p netip.Prefix) bool { return p.Addr() == f.Src }) {
			trip.Cipher++
		}
	}
	return trip, nil
}

// countRequests counts the echo requests from src to dst, unwrapped, in VXLAN and in IPv4.
func countRequests(frames []Frame, src, dst netip.Addr) (direct, vxlan, ipip int) {
	for _, f := range frames {
		switch {
		case !f.Request || f.Src != src || f.Dst != dst:
		case f.VXLAN:
			vxlan++
		case f.IPIP:
			ipip++
		default:
			direct++
		}
	}
	return direct, vxlan, ipip
}
