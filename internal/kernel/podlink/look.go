package podlink

import (
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
)

// device is what the kernel says of one.
type device struct {
	index int32
	name  string
	kind  string
	mtu   int
	mac   MAC
	up    bool
}

// find asks for the device of a name; syscall.ENODEV if there is none.
func find(conn *rtnl.Conn, name string) (d device, err error) {
	err = codec.ReadLink(conn, 0, name, func(l codec.Link) {
		d = device{index: l.Index, name: l.Name, kind: l.Kind, mtu: l.MTU, up: l.Up()}
		if len(l.MAC) == len(d.mac) {
			d.mac = MAC(l.MAC)
		}
	})
	if err == nil && d.index == 0 {
		err = syscall.ENODEV
	}
	if err != nil {
		return d, fmt.Errorf("look for device %s: %w", name, err)
	}
	return d, nil
}

// routes returns the routes that lead to a device, of the family of like, in any
// table: the plugin sbr moves them to one of its own.
func routes(conn *rtnl.Conn, like netip.Addr, dev int32) (all []codec.Route, err error) {
	err = codec.Routes{Dev: dev}.Read(conn, codec.Family(like), func(r codec.Route) {
		if r.Table != unix.RT_TABLE_LOCAL {
			r.Multipath = nil
			all = append(all, r)
		}
	})
	return all, err
}

// addresses returns those of a device, of both families.
func addresses(conn *rtnl.Conn, dev int32) (all []netip.Addr, err error) {
	err = codec.ReadAddrs(conn, dev, func(a codec.Addr) { all = append(all, a.Prefix.Addr()) })
	return all, err
}
