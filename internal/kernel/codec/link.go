package codec

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
)

// Link is a device.
type Link struct {
	Index  int32
	Master int32  // IFLA_MASTER: the bridge, VRF or other device that it is a port of, or 0
	Flags  uint32 // IFF_*
	Name   string
	Alt    []string // other names by which it is found (IFLA_ALT_IFNAME, since 5.5)
	Alias  string   // IFLA_IFALIAS: a remark of whoever made it
	Kind   string   // IFLA_INFO_KIND; "": a device of none, such as an Ethernet card or the loopback
	MTU    int
	MAC    []byte     // of any length; valid until the next message is read
	Data   rtnl.Attrs // IFLA_INFO_DATA, what only devices of its kind have; likewise
}

// Up reports whether the device is up.
func (l Link) Up() bool { return l.Flags&unix.IFF_UP != 0 }

// LinkHeader packs struct ifinfomsg of linux/rtnetlink.h.
func LinkHeader(index int32, flags, change uint32) []byte {
	h := make([]byte, unix.SizeofIfInfomsg)
	native.PutUint32(h[4:], uint32(index))
	native.PutUint32(h[8:], flags)
	native.PutUint32(h[12:], change)
	return h
}

// DecodeLink reads RTM_NEWLINK and RTM_DELLINK.
func DecodeLink(m rtnl.Message) (Link, bool) {
	head, attrs, ok := m.Header(unix.SizeofIfInfomsg)
	if !ok || head[0] != unix.AF_UNSPEC { // AF_BRIDGE: news of a bridge port
		return Link{}, false
	}
	l := Link{Index: int32(native.Uint32(head[4:])), Flags: native.Uint32(head[8:])}
	for a := range attrs.All() {
		switch a.Type {
		case unix.IFLA_IFNAME:
			l.Name = a.String()
		case unix.IFLA_MTU:
			l.MTU = int(a.Uint32())
		case unix.IFLA_ADDRESS:
			l.MAC = a.Value
		case unix.IFLA_IFALIAS:
			l.Alias = a.String()
		case unix.IFLA_MASTER:
			l.Master = int32(a.Uint32())
		case unix.IFLA_LINKINFO:
			l.decodeInfo(a.Attrs())
		case unix.IFLA_PROP_LIST:
			l.decodeNames(a.Attrs())
		}
	}
	return l, true
}

func (l *Link) decodeNames(attrs rtnl.Attrs) {
	for a := range attrs.All() {
		if a.Type == unix.IFLA_ALT_IFNAME {
			l.Alt = append(l.Alt, a.String())
		}
	}
}

func (l *Link) decodeInfo(attrs rtnl.Attrs) {
	for a := range attrs.All() {
		switch a.Type {
		case unix.IFLA_INFO_KIND:
			l.Kind = a.String()
		case unix.IFLA_INFO_DATA:
			l.Data = a.Attrs()
		}
	}
}

// skipStats is RTEXT_FILTER_SKIP_STATS of linux/rtnetlink.h: counters are most
// of a link's message and of no use here.
const skipStats = 1 << 3

// ReadLink calls yield with the one device that has an index or, if that is 0,
// a name. If there is none the error is syscall.ENODEV.
func ReadLink(conn *rtnl.Conn, index int32, name string, yield func(Link)) error {
	if index == 0 && (name == "" || len(name) >= unix.IFNAMSIZ) {
		return fmt.Errorf("%q cannot be the name of a device: it must have 1 to %d characters", name, unix.IFNAMSIZ-1)
	}
	var b rtnl.Batch
	b.Message(unix.RTM_GETLINK, 0, LinkHeader(index, 0, 0)...)
	if index == 0 {
		b.String(unix.IFLA_IFNAME, name)
	}
	b.Uint32(unix.IFLA_EXT_MASK, skipStats)
	for m, err := range conn.Dump(&b) {
		if err != nil {
			return err
		}
		if l, ok := DecodeLink(m); ok {
			yield(l)
		}
	}
	return nil
}

// ReadLinks calls yield with all devices of a kind, or with all there are if
// kind is empty.
func ReadLinks(conn *rtnl.Conn, kind string, yield func(Link)) error {
	var b rtnl.Batch
	b.Message(unix.RTM_GETLINK, unix.NLM_F_DUMP, LinkHeader(0, 0, 0)...)
	b.Uint32(unix.IFLA_EXT_MASK, skipStats)
	if kind != "" {
		info := b.Nest(unix.IFLA_LINKINFO)
		b.String(unix.IFLA_INFO_KIND, kind)
		b.End(info)
	}
	for m, err := range conn.Dump(&b) {
		if err != nil {
			return fmt.Errorf("list devices: %w", err)
		}
		if l, ok := DecodeLink(m); ok && (kind == "" || l.Kind == kind) {
			yield(l)
		}
	}
	return nil
}

// EncodeAltName puts the request to give a device another name beside its own,
// or to take it away.
func EncodeAltName(b *rtnl.Batch, index int32, name string, remove bool) {
	typ := uint16(unix.RTM_NEWLINKPROP)
	if remove {
		typ = unix.RTM_DELLINKPROP
	}
	b.Message(typ, 0, LinkHeader(index, 0, 0)...)
	names := b.Nest(unix.IFLA_PROP_LIST)
	b.String(unix.IFLA_ALT_IFNAME, name)
	b.End(names)
}

// EncodeUp puts the request to bring a device up, or down.
func EncodeUp(b *rtnl.Batch, index int32, up bool) {
	var flags uint32
	if up {
		flags = unix.IFF_UP
	}
	b.Message(unix.RTM_NEWLINK, 0, LinkHeader(index, flags, unix.IFF_UP)...)
}
