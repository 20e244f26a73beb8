package nft_test

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/weft-net/weft/internal/kernel/nft"
	"github.com/weft-net/weft/internal/netns"
	"github.com/weft-net/weft/internal/netstate"
)

// BenchmarkTenThousandPeers puts a guard with 10,000 peers in place, looks at
// it, and lets one more in.
func BenchmarkTenThousandPeers(b *testing.B) {
	ns, err := netns.New("host")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = ns.Close() })
	var c *nft.Conn
	err = ns.Do(func() (err error) {
		c, err = nft.Open(slog.New(slog.DiscardHandler))
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	want := netstate.StateOf(netstate.NFTable{Name: "weft"}, netstate.Set{Table: "weft", Name: "peers4", Type: netstate.TypeIPv4})
	peer := func(a netip.Addr) netstate.Element {
		return netstate.Element{Table: "weft", Set: "peers4", Prefix: netip.PrefixFrom(a, 32)}
	}
	a := netip.MustParseAddr("10.4.0.0")
	for range 10_000 {
		a = a.Next()
		want.Put(peer(a))
	}
	change := func(b *testing.B, have, want *netstate.State) {
		for _, err := range c.Apply(netstate.Diff(have, want)) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("put", func(b *testing.B) {
		for range b.N {
			change(b, &netstate.State{}, want)
			b.StopTimer()
			change(b, want, &netstate.State{})
			b.StartTimer()
		}
	})
	change(b, &netstate.State{}, want)
	b.Run("look", func(b *testing.B) {
		for range b.N {
			if f, err := c.Observe(b.Context(), scope); err != nil || len(f.Elements) != 10_000 {
				b.Fatal(len(f.Elements), err)
			}
		}
	})
	b.Run("one more", func(b *testing.B) {
		e := peer(netip.MustParseAddr("192.0.2.1"))
		for range b.N {
			c.Apply([]netstate.Op{{Verb: netstate.Add, Row: e}})
			b.StopTimer()
			c.Apply([]netstate.Op{{Verb: netstate.Remove, Row: e, Have: e}})
			b.StartTimer()
		}
	})
}
