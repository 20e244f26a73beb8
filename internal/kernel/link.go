package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// kindDevice stands for the kind of devices that have none of
// IFLA_INFO_KIND, such as Ethernet cards and the loopback.
const kindDevice = "device"

// link is a device as the kernel describes it.
type link struct {
	netstate.Link        // Dev is empty: see lower
	kernelName    string // Name, unless that is an alternative one: see knownAs
	index         int32  //
	lower         int32  // index of a vxlan's lower device, or 0
	master        int32  // index of the bridge or other device that it is a port of, or 0
	flags         uint32 // IFF_*
	mac           []byte // of any length
	vrfTable      uint32 // of a VRF
	userSpace     bool   // of wireguard: a process carries it
}

// vrfAlias begins the alias of a device that was made while its lower device
// belonged to a VRF, whose name follows. The kernel binds the device's socket to the
// VRF when the device comes up, and tells nobody (vxlan_socket_create in
// drivers/net/vxlan/vxlan_core.c).
const vrfAlias = "weft: vrf "

// linkOf returns l, which shares nothing with the message it was read from.
func linkOf(l codec.Link) link {
	out := link{index: l.Index, master: l.Master, flags: l.Flags, mac: slices.Clone(l.MAC)}
	out.kernelName = l.Name
	out.Name, out.Kind, out.MTU, out.Up = knownAs(l), cmp.Or(l.Kind, kindDevice), l.MTU, l.Up()
	if len(l.MAC) == len(out.MAC) {
		out.MAC = netstate.MAC(l.MAC)
	}
	if l.Kind == "tun" && slices.Contains(owned.WireGuardDevices, l.Name) {
		out.Kind, out.userSpace = netstate.KindWireGuard, true
	}
	if out.Kind == netstate.KindIPIP {
		out.decodeIPIP(l.Data)
	}
	if out.Kind == netstate.KindWireGuard {
		out.MAC = netstate.MAC{}
	}
	if l.Kind == netstate.KindVXLAN {
		out.decodeVXLAN(l.Data)
		out.VRF, _ = strings.CutPrefix(l.Alias, vrfAlias)
		if out.VRF == l.Alias {
			out.VRF = ""
		}
	}
	if l.Kind == "vrf" {
		for a := range l.Data.All() {
			if a.Type == unix.IFLA_VRF_TABLE {
				out.vrfTable = a.Uint32()
			}
		}
	}
	return out
}

func (l *link) decodeVXLAN(attrs rtnl.Attrs) {
	for a := range attrs.All() {
		switch a.Type {
		case unix.IFLA_VXLAN_ID:
			l.VNI = a.Uint32()
		case unix.IFLA_VXLAN_LOCAL, unix.IFLA_VXLAN_LOCAL6:
			l.Local = a.Addr()
		case unix.IFLA_VXLAN_LINK:
			l.lower = int32(a.Uint32())
		case unix.IFLA_VXLAN_PORT:
			l.Port = a.Uint16BE()
		case unix.IFLA_VXLAN_LEARNING:
			l.Learning = a.Uint8() != 0
		case unix.IFLA_VXLAN_GBP:
			l.GBP = true
		}
	}
}

// devices answers questions about single devices. It remembers the answers:
// make a new one after a device was changed, and for each task.
type devices struct {
	conn   *rtnl.Conn
	byName map[string]link
	names  map[int32]string
}

func newDevices(conn *rtnl.Conn) *devices {
	return &devices{conn: conn, byName: map[string]link{}, names: map[int32]string{}}
}

// named returns the device called name; found is false if there is none.
func (d *devices) named(name string) (l link, found bool, err error) {
	if l, ok := d.byName[name]; ok {
		return l, l.index != 0, nil
	}
	l, err = d.get(0, name)
	if err != nil && !errors.Is(err, syscall.ENODEV) {
		return link{}, false, fmt.Errorf("look for device %s: %w", name, err)
	}
	d.byName[name] = l // without an index if it is not there
	return l, l.index != 0, nil
}

// index returns the index of the device called name.
func (d *devices) index(name string) (int32, error) {
	l, found, err := d.named(name)
	if err == nil && !found {
		err = fmt.Errorf("there is no device %s: %w", name, syscall.ENODEV)
	}
	return l.index, err
}

// name returns the name of the device with an index, "" if there is none.
func (d *devices) name(index int32) (string, error) {
	if index == 0 {
		return "", nil
	}
	if name, ok := d.names[index]; ok {
		return name, nil
	}
	l, err := d.get(index, "")
	if err != nil && !errors.Is(err, syscall.ENODEV) {
		return "", fmt.Errorf("look for device number %d: %w", index, err)
	}
	d.names[index] = l.Name
	return l.Name, nil
}

// get asks for the one device with an index or a name.
func (d *devices) get(index int32, name string) (l link, err error) {
	err = codec.ReadLink(d.conn, index, name, func(got codec.Link) { l = linkOf(got) })
	return l, err
}

// readLinks returns all devices of a kind, or all if kind is empty.
func readLinks(conn *rtnl.Conn, kind string) (all []link, err error) {
	err = codec.ReadLinks(conn, kind, func(l codec.Link) { all = append(all, linkOf(l)) })
	return all, err
}
