package kernel

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
)

// kindDevice stands for the kind of devices that have none of
// IFLA_INFO_KIND, such as Ethernet cards and the loopback.
const kindDevice = "device"

// link is a device as the kernel describes it.
type link struct {
	netstate.Link        // Dev is empty: see lower
	index         int32  //
	lower         int32  // index of a vxlan's lower device, or 0
	flags         uint32 // IFF_*
	mac           []byte // of any length; valid until the next message is read
}

// header packs struct ifinfomsg of linux/rtnetlink.h.
func linkHeader(index int32, flags, change uint32) []byte {
	h := make([]byte, unix.SizeofIfInfomsg)
	native.PutUint32(h[4:], uint32(index))
	native.PutUint32(h[8:], flags)
	native.PutUint32(h[12:], change)
	return h
}

// decodeLink reads RTM_NEWLINK and RTM_DELLINK.
func decodeLink(m rtnl.Message) (link, bool) {
	head, attrs, ok := m.Header(unix.SizeofIfInfomsg)
	if !ok || head[0] != unix.AF_UNSPEC { // AF_BRIDGE: news of a bridge port
		return link{}, false
	}
	l := link{index: int32(native.Uint32(head[4:])), flags: native.Uint32(head[8:])}
	l.Kind = kindDevice
	for a := range attrs.All() {
		switch a.Type {
		case unix.IFLA_IFNAME:
			l.Name = a.String()
		case unix.IFLA_MTU:
			l.MTU = int(a.Uint32())
		case unix.IFLA_ADDRESS:
			l.mac = a.Value
		case unix.IFLA_LINKINFO:
			l.decodeInfo(a.Attrs())
		}
	}
	l.Up = l.flags&unix.IFF_UP != 0
	if len(l.mac) == len(l.MAC) {
		l.MAC = netstate.MAC(l.mac)
	}
	return l, true
}

func (l *link) decodeInfo(attrs rtnl.Attrs) {
	var data rtnl.Attrs
	for a := range attrs.All() {
		switch a.Type {
		case unix.IFLA_INFO_KIND:
			l.Kind = a.String()
		case unix.IFLA_INFO_DATA:
			data = a.Attrs()
		}
	}
	if l.Kind == netstate.KindVXLAN {
		l.decodeVXLAN(data)
	}
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
	if name == "" || len(name) >= unix.IFNAMSIZ {
		return link{}, false, fmt.Errorf("%q cannot be the name of a device: it must have 1 to %d characters", name, unix.IFNAMSIZ-1)
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
	var b rtnl.Batch
	b.Message(unix.RTM_GETLINK, 0, linkHeader(index, 0, 0)...)
	if name != "" {
		b.String(unix.IFLA_IFNAME, name)
	}
	b.Uint32(unix.IFLA_EXT_MASK, skipStats)
	for m, err := range d.conn.Dump(&b) {
		if err != nil {
			return link{}, err
		}
		if got, ok := decodeLink(m); ok {
			l = got
		}
	}
	return l, nil
}

// skipStats is RTEXT_FILTER_SKIP_STATS of linux/rtnetlink.h: counters are most
// of a link's message and of no use here.
const skipStats = 1 << 3

// dumpLinks returns all devices of a kind, or all if kind is empty.
func dumpLinks(conn *rtnl.Conn, kind string) ([]link, error) {
	var b rtnl.Batch
	b.Message(unix.RTM_GETLINK, unix.NLM_F_DUMP, linkHeader(0, 0, 0)...)
	b.Uint32(unix.IFLA_EXT_MASK, skipStats)
	if kind != "" {
		info := b.Nest(unix.IFLA_LINKINFO)
		b.String(unix.IFLA_INFO_KIND, kind)
		b.End(info)
	}
	var all []link
	for m, err := range conn.Dump(&b) {
		if err != nil {
			return nil, fmt.Errorf("list devices: %w", err)
		}
		// A kernel without the filter lists every kind.
		if l, ok := decodeLink(m); ok && (kind == "" || l.Kind == kind) {
			l.mac = append(net.HardwareAddr(nil), l.mac...)
			all = append(all, l)
		}
	}
	return all, nil
}

// hasWeftName reports whether a name is of the form that flannel's and weft's
// vxlan devices have: flannel.VNI or flannel-v6.VNI, and w4-VNI-PORT or
// w6-VNI-PORT in hexadecimal for one that makes room for another port.
func hasWeftName(name string) bool {
	for _, prefix := range []string{"flannel.", "flannel-v6."} {
		if vni, ok := strings.CutPrefix(name, prefix); ok {
			return vni != "" && strings.Trim(vni, "0123456789") == ""
		}
	}
	for _, prefix := range []string{"w4-", "w6-"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			vni, port, both := strings.Cut(rest, "-")
			return both && vni != "" && port != "" && strings.Trim(vni+port, "0123456789abcdef") == ""
		}
	}
	return false
}
