package kernel

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// FuzzDecode feeds the decoders what a kernel would never send: none may
// panic or invent a row without an identity.
func FuzzDecode(f *testing.F) {
	f.Add(codec.LinkHeader(1, unix.IFF_UP, 0))
	f.Add(codec.AddrHeader(unix.AF_INET, 24, 0, 0, 1))
	f.Add(codec.NeighHeader(unix.AF_BRIDGE, 1, unix.NUD_PERMANENT, unix.NTF_SELF))
	f.Add(codec.RouteHeader(unix.AF_INET6, 64, unix.RT_TABLE_MAIN, owned.RouteProtocol, 0, unix.RTN_UNICAST, 0))
	f.Add(append(codec.RouteHeader(unix.AF_INET, 24, unix.RT_TABLE_MAIN, 4, 0, unix.RTN_UNICAST, 0), 8, 0, 1, 0, 10, 5, 2, 0, 12, 0, 9, 0, 8, 0, 0, 0, 2, 0, 0, 0))
	f.Add(nexthopHeader(unix.AF_INET, owned.RouteProtocol, 0))
	f.Add(append([]byte{unix.AF_INET, 8, 0, 0, 100, 0, 0, 1, 0, 0, 0, 0}, 8, 0, unix.FRA_DST, 0, 10, 0, 0, 0))
	v := &view{
		scope: netstate.Scope{
			Networks: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/1"), netip.MustParsePrefix("::/1")},
			Links:    []string{"flannel.1"},
			Sysctls:  []string{"net/ipv4/ip_forward"},
		},
		own: map[int32]string{1: "flannel.1"},
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w := &watcher{Kernel: &Kernel{}, mirror: mirror{1: {name: "flannel.1"}}}
		w.near.Store(&near{links: v.scope.Networks, leading: map[netconf.Family][]int32{netconf.V4: {1}}})
		for _, typ := range []uint16{
			unix.RTM_DELLINK, unix.RTM_NEWADDR, unix.RTM_DELADDR, unix.RTM_NEWROUTE, unix.RTM_DELROUTE,
			unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH, unix.RTM_NEWNEXTHOP, unix.RTM_NEWNETCONF, unix.RTM_NEWRULE,
		} {
			m := rtnl.Message{Type: typ, Data: data}
			e, ok := w.translate(v, m)
			if ok && e.Row != nil && e.Row.String() == "" {
				t.Errorf("a row without a text: %#v", e.Row)
			}
			if r, ok := e.Row.(netstate.Route); ok && !r.Dst.IsValid() {
				t.Errorf("a route without a destination: %#v", r)
			}
		}
	})
}

func TestIDsRunOutWithAnError(t *testing.T) {
	var n nexthops
	network := netip.MustParsePrefix("10.5.0.0/16")
	n.reset(netstate.Scope{Networks: []netip.Prefix{network}})
	own := owned.TagOf(network)
	for i := range owned.NexthopNumbers {
		n.taken[own.ID(i)] = true
	}
	delete(n.taken, own.ID(7))
	if id, err := n.unused(own); err != nil || id != own.ID(7) {
		t.Errorf("the one free id was not found: %#x %v", id, err)
	}
	n.taken[own.ID(7)] = true
	if _, err := n.unused(own); err == nil {
		t.Error("there was no id left, and no error")
	}
}
