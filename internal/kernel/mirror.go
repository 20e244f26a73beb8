package kernel

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
)

// mirror is what Watch knows of the host's devices, so that it can name them
// and pass over messages without news: a router advertisement renews
// lifetimes every few seconds, and every pod brings a device.
type mirror map[int32]mirrored

type mirrored struct {
	name   string
	mtu    int
	master int32
	flags  uint32
	addrs  map[netip.Prefix]uint32 // with their flags
}

// linkFlags and addressFlags are those that make a difference to weft.
const (
	linkFlags    = unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOWER_UP
	addressFlags = unix.IFA_F_PERMANENT | unix.IFA_F_TEMPORARY | unix.IFA_F_DEPRECATED |
		unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED
)

// link takes in the news of a device and reports whether it is news.
func (m mirror) link(l link, gone bool) (changed bool) {
	old, known := m[l.index]
	if gone {
		delete(m, l.index)
		return known
	}
	now := mirrored{name: l.Name, mtu: l.MTU, master: l.master, flags: l.flags & linkFlags, addrs: old.addrs}
	m[l.index] = now
	return !known || old.name != now.name || old.mtu != now.mtu || old.master != now.master || old.flags != now.flags
}

// address takes in the news of an address and reports whether it is news.
func (m mirror) address(a codec.Addr, gone bool) (changed bool) {
	d := m[a.Index]
	flags, known := d.addrs[a.Prefix]
	if gone {
		delete(d.addrs, a.Prefix)
		return known
	}
	if d.addrs == nil {
		d.addrs = map[netip.Prefix]uint32{}
	}
	d.addrs[a.Prefix] = a.Flags & addressFlags
	m[a.Index] = d
	return !known || flags != a.Flags&addressFlags
}

// name returns the name of a device, "" if it is not known.
func (m mirror) name(index int32) string { return m[index].name }

// matters reports whether the device has an address. Most devices of pods have none but their link-local one.
func (m mirror) matters(index int32) bool {
	for p := range m[index].addrs {
		if !p.Addr().Is6() || !p.Addr().IsLinkLocalUnicast() {
			return true
		}
	}
	return false
}

// has reports whether a device has the address.
func (m mirror) has(addr netip.Addr) bool {
	for _, d := range m {
		for p := range d.addrs {
			if p.Addr() == addr {
				return true
			}
		}
	}
	return false
}

func isLinkLocal6(a codec.Addr) bool {
	return a.Prefix.Addr().Is6() && a.Prefix.Addr().IsLinkLocalUnicast()
}
