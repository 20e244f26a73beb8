package nft

import (
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
)

// FuzzDecode reads whatever the kernel might send: rules, chains, sets,
// elements and events of everybody's.
func FuzzDecode(f *testing.F) {
	var b rtnl.Batch
	body := netstate.Body{
		Mark: 1, Mask: 3, Src: netstate.FromSet("peers4", false).Except(),
		Dst: netstate.From(netip.MustParsePrefix("10.5.0.0/17")), UDPPort: 8472, VNI: 7, DNAT: true, Unrouted: true, Counter: true,
		OrigDst: netstate.From(netip.MustParsePrefix("10.5.0.0/17")).Except(),
		Verdict: netstate.KeepSource, Comment: "weft",
	}
	encodeRule(&b, place{unix.NFPROTO_INET, "weft", "guard"}, body, atTail)
	f.Add(uint16(unix.NFT_MSG_NEWRULE), b.Body(0))
	b.Reset()
	encodeChain(&b, netstate.Chain{Table: "weft", Name: "guard", Type: "filter", Hook: "input", Priority: -10})
	f.Add(uint16(unix.NFT_MSG_NEWCHAIN), b.Body(0))
	b.Reset()
	encodeSet(&b, netstate.Set{Table: "weft", Name: "s", Type: netstate.TypeIPv6, Interval: true}, 1)
	f.Add(uint16(unix.NFT_MSG_NEWSET), b.Body(0))
	b.Reset()
	encodeElements(&b, []netstate.Element{{Table: "weft", Set: "s", Prefix: netip.MustParsePrefix("10.5.0.0/17")}}, true, false)
	f.Add(uint16(unix.NFT_MSG_NEWSETELEM), b.Body(0))
	f.Fuzz(func(t *testing.T, kind uint16, data []byte) {
		m := rtnl.Message{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | kind&0xff, Data: data}
		if r, ok := decodeRule(m); ok {
			body := r.body()
			if body.Unknown == "" {
				rereads(t, r.family, body)
			}
			_, _ = r.isStop()
			_, _ = r.leads(), r.prefixes()
			set := decodeElements(nil, rtnl.Attrs(data))
			m := matchReader{family: r.family, set: func(string) ([]element, error) { return set, nil }}
			for i := range r.list {
				_ = m.take(&r.list[i])
			}
		}
		_, _ = decodeChain(m)
		_, _ = decodeSet(m)
		_ = author(m)
		var c change
		c.take(&view{}, nil, m)
		if _, attrs, ok := m.Header(nfgenSize); ok {
			for a := range attrs.All() {
				keys := decodeKeys(nil, a.Attrs())
				prefixes(slices.Clone(keys), true)
				prefixes(keys, false)
			}
		}
	})
}

// rereads checks that a rule that was understood is written as it was read.
func rereads(t *testing.T, family uint8, body netstate.Body) {
	var b rtnl.Batch
	encodeRule(&b, place{family, "t", "c"}, body, atTail)
	again, ok := decodeRule(rtnl.Message{Data: b.Body(0)})
	if !ok || again.body() != body {
		t.Errorf("%s reads back as %s", body, again.body())
	}
}

func TestIntervals(t *testing.T) {
	for _, tc := range []struct{ first, end, want string }{
		{"10.5.0.0", "10.6.0.0", "10.5.0.0/16"},
		{"10.5.0.0", "10.5.0.1", "10.5.0.0/32"},
		{"255.255.255.0", "", "255.255.255.0/24"},
		{"0.0.0.0", "", "0.0.0.0/0"},
		{"10.5.0.0", "10.5.0.3", "10.5.0.0/31"}, // is no prefix
		{"fff0::", "", "fff0::/12"},
		{"::", "8000::", "::/1"},
	} {
		var end netip.Addr
		if tc.end != "" {
			end = netip.MustParseAddr(tc.end)
		}
		got := between(netip.MustParseAddr(tc.first), end)
		if got.String() != tc.want {
			t.Errorf("from %s to %s: %s, want %s", tc.first, tc.end, got, tc.want)
		}
		if next := behind(got); tc.want != "10.5.0.0/31" && next != end {
			t.Errorf("behind %s is %s, not %s", got, next, end)
		}
	}
}
