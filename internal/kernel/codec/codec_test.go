package codec

import (
	"net/netip"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// message is the only one of a batch, as the kernel gets it.
func message(t *testing.T, put func(*rtnl.Batch)) rtnl.Message {
	t.Helper()
	var b rtnl.Batch
	put(&b)
	if b.Len() != 1 {
		t.Fatalf("%d messages", b.Len())
	}
	return rtnl.Message{Data: b.Body(0)}
}

func TestAddrReadsBack(t *testing.T) {
	for _, text := range []string{"10.5.1.7/32", "10.4.7.21/24", "fd05:0:0:1::7/64"} {
		want := Addr{Prefix: netip.MustParsePrefix(text), Index: 7, Scope: unix.RT_SCOPE_LINK, Flags: unix.IFA_F_NODAD}
		got, ok := DecodeAddr(message(t, func(b *rtnl.Batch) { EncodeAddr(b, Create, want) }))
		if !ok || got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestNeighReadsBack(t *testing.T) {
	for _, want := range []Neigh{
		{Family: unix.AF_INET, Index: 7, Dst: netip.MustParseAddr("10.5.2.0"), Protocol: owned.RouteProtocol},
		{Family: unix.AF_INET6, Index: 7, Dst: netip.MustParseAddr("fd05::2")},
		{Family: unix.AF_BRIDGE, Index: 7, Dst: netip.MustParseAddr("10.4.7.22"), Flags: unix.NTF_SELF},
	} {
		want.State, want.MAC, want.HasMAC = unix.NUD_PERMANENT, netstate.MAC{2, 0, 0, 0, 0, 1}, true
		got, ok := DecodeNeigh(message(t, func(b *rtnl.Batch) { EncodeNeigh(b, want) }))
		if !ok || got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestRouteReadsBack(t *testing.T) {
	p, a := netip.MustParsePrefix, netip.MustParseAddr
	for _, want := range []Route{
		{Dst: p("10.5.2.0/24"), Via: a("10.4.7.22"), Dev: 7, Table: unix.RT_TABLE_MAIN, Flags: unix.RTNH_F_ONLINK},
		{Dst: p("10.5.1.7/32"), Dev: 7, Table: unix.RT_TABLE_MAIN, Scope: unix.RT_SCOPE_LINK},
		{Dst: p("0.0.0.0/0"), Via: a("169.254.1.1"), Dev: 7, Table: 1007},
		{Dst: p("::/0"), Via: a("fe80::1"), Dev: 7, Table: unix.RT_TABLE_MAIN},
		{Dst: p("fd05:0:0:2::/64"), Nexthop: 1 << 30, Table: unix.RT_TABLE_MAIN},
	} {
		want.Protocol, want.Kind = owned.RouteProtocol, unix.RTN_UNICAST
		got, ok := DecodeRoute(message(t, func(b *rtnl.Batch) { EncodeRoute(b, Create, want) }))
		if !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestLinkReadsBack(t *testing.T) {
	mac := []byte{2, 0, 0, 0, 0, 1}
	got, ok := DecodeLink(message(t, func(b *rtnl.Batch) {
		b.Message(unix.RTM_NEWLINK, 0, LinkHeader(7, unix.IFF_UP, 0)...)
		b.String(unix.IFLA_IFNAME, "eth0")
		b.Uint32(unix.IFLA_MTU, 1450)
		b.Bytes(unix.IFLA_ADDRESS, mac...)
		info := b.Nest(unix.IFLA_LINKINFO)
		b.String(unix.IFLA_INFO_KIND, "vxlan")
		data := b.Nest(unix.IFLA_INFO_DATA)
		b.Uint32(unix.IFLA_VXLAN_ID, 1)
		b.End(data)
		b.End(info)
	}))
	if !ok || got.Index != 7 || !got.Up() || got.Name != "eth0" || got.Kind != "vxlan" || got.MTU != 1450 || string(got.MAC) != string(mac) || len(got.Data) != 8 {
		t.Errorf("got %+v", got)
	}
}

// FuzzDecode feeds the decoders what a kernel would never send: none may
// panic, or find an object without an identity.
func FuzzDecode(f *testing.F) {
	f.Add(LinkHeader(1, unix.IFF_UP, 0))
	f.Add(AddrHeader(unix.AF_INET, 24, 0, 0, 1))
	f.Add(NeighHeader(unix.AF_BRIDGE, 1, unix.NUD_PERMANENT, unix.NTF_SELF))
	f.Add(append(RouteHeader(unix.AF_INET, 24, 254, 4, 0, unix.RTN_UNICAST, 0), 8, 0, 1, 0, 10, 5, 2, 0, 12, 0, 9, 0, 8, 0, 0, 0, 2, 0, 0, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := rtnl.Message{Data: data}
		_, _ = DecodeLink(m)
		if a, ok := DecodeAddr(m); ok && !a.Prefix.IsValid() {
			t.Errorf("no address: %+v", a)
		}
		if n, ok := DecodeNeigh(m); ok && !n.Dst.IsValid() {
			t.Errorf("a neighbour without an address: %+v", n)
		}
		if r, ok := DecodeRoute(m); ok && !r.Dst.IsValid() {
			t.Errorf("a route to nowhere: %+v", r)
		} else {
			_ = r.Hops()
		}
	})
}
