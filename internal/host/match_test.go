package host

import (
	"net/netip"
	"testing"
)

func addrs(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func TestFits(t *testing.T) {
	inside := Traffic{Family: "ip", Src: addrs("10.5.0.0/16"), Dst: addrs("10.5.0.0/16"), Never: []string{"eth0"}}
	tunnel := Traffic{Family: "ip", Src: addrs("192.168.7.0/24"), Dst: addrs("192.168.7.21/32"), OpenSrc: true, UDPPort: 8472, In: "eth0"}
	ports := func(first, last uint16) []PortRange { return []PortRange{{first, last}} }
	for _, tc := range []struct {
		name           string
		when           Match
		inside, tunnel bool
	}{
		{"anything", Match{}, true, true},
		{"what is not understood", Match{Opaque: true}, true, true},
		{"the other family", Match{Family: "ip6"}, false, false},
		{"a source in the network", Match{Src: Addrs{In: addrs("10.5.1.0/24")}}, true, false},
		{"a source that holds all", Match{Src: Addrs{In: addrs("0.0.0.0/0")}}, true, true},
		{"no source", Match{Src: Addrs{In: []netip.Prefix{}}}, false, false},
		{"a source elsewhere", Match{Src: Addrs{In: addrs("203.0.113.9/32")}}, false, false},
		{"a source elsewhere, to the port", Match{Src: Addrs{In: addrs("203.0.113.9/32")}, Ports: ports(8472, 8472)}, false, true},
		{"sources but the network", Match{Src: Addrs{Not: addrs("10.0.0.0/8")}}, false, true},
		{"sources but the link, of which peers may be outside", Match{Src: Addrs{Not: addrs("192.168.0.0/16")}}, true, true},
		{"destinations but this host", Match{Dst: Addrs{Not: addrs("192.168.7.21/32")}}, true, false},
		{"a loopback address", Match{Dst: Addrs{In: addrs("127.0.0.0/8")}}, false, false},
		{"TCP", Match{Protos: []uint8{6}}, true, false},
		{"a range of ports", Match{Protos: []uint8{17}, Ports: ports(8000, 9000)}, true, true},
		{"another range of ports", Match{Ports: ports(1, 1024)}, true, false},
		{"invalid connections", Match{States: Invalid}, false, false},
		{"invalid and new ones", Match{States: Invalid | New}, true, true},
		{"the loopback interface", Match{In: []string{"lo"}}, false, false},
		{"the uplink", Match{In: []string{"eth0"}}, false, true},
		{"all such devices", Match{In: []string{"eth*"}}, true, true},
		{"within one bridge", Match{In: []string{"docker0"}, Out: []string{"docker0"}}, false, false},
		{"no way back", Match{Unrouted: true}, false, false},
		{"for this host itself", Match{Local: true}, false, true},
	} {
		if got := tc.when.Fits(inside); got != tc.inside {
			t.Errorf("%s: packets of containers fit: %v", tc.name, got)
		}
		if got := tc.when.Fits(tunnel); got != tc.tunnel {
			t.Errorf("%s: packets of the tunnel fit: %v", tc.name, got)
		}
	}
}

// TestLoopback has the kubelet's rule at a hook where the destinations are not
// known.
func TestLoopback(t *testing.T) {
	sent := Traffic{Family: "ip", Src: addrs("192.168.7.21/32"), UDPPort: 8472, Out: "eth0"}
	if (Match{Src: Addrs{Not: addrs("127.0.0.0/8")}, Dst: Addrs{In: addrs("127.0.0.0/8")}}).Fits(sent) {
		t.Error("a loopback address is a peer's")
	}
	if !(Match{Dst: Addrs{In: addrs("0.0.0.0/0")}}).Fits(sent) {
		t.Error("no address is a peer's")
	}
}

// TestAstray has a filter of reverse paths while hosts switch between direct
// paths and the tunnel.
func TestAstray(t *testing.T) {
	through := Traffic{Family: "ip", Src: addrs("10.5.0.0/16"), Dst: addrs("10.5.0.0/16"), Astray: true}
	if !(Match{Unrouted: true}).Fits(through) || (Match{Unrouted: true, Never: true}).Fits(through) {
		t.Error("a strict filter lets packets pass, or a loose one does not")
	}
}

func TestAnd(t *testing.T) {
	both := Match{Src: Addrs{In: addrs("10.0.0.0/8", "192.0.2.0/24")}, Ports: []PortRange{{1, 100}}, In: []string{"eth*"}, States: New | Invalid}.
		And(Match{Src: Addrs{In: addrs("10.5.0.0/16")}, Ports: []PortRange{{80, 9000}}, In: []string{"eth1", "lo"}, States: New})
	if len(both.Src.In) != 1 || both.Src.In[0] != netip.MustParsePrefix("10.5.0.0/16") || both.Ports[0] != (PortRange{80, 100}) ||
		len(both.In) != 1 || both.In[0] != "eth1" || both.States != New || both.Never || both.Opaque {
		t.Errorf("%+v", both)
	}
	for _, never := range []Match{
		Match{Family: "ip"}.And(Match{Family: "ip6"}),
		Match{States: New}.And(Match{States: Established}),
	} {
		if !never.Never {
			t.Errorf("%+v", never)
		}
	}
}

// TestLargeLists combines lists whose pairs are too many to look at. What
// comes out holds more, and says so.
func TestLargeLists(t *testing.T) {
	var list []netip.Prefix
	for a := netip.MustParseAddr("203.0.113.0"); len(list) < 5000; a = a.Next() {
		list = append(list, netip.PrefixFrom(a, 32))
	}
	both := Match{Src: Addrs{In: list}}.And(Match{Src: Addrs{In: list}, Dst: Addrs{In: list}})
	if !both.Opaque || len(both.Src.In) != len(list) {
		t.Errorf("opaque %v, %d sources", both.Opaque, len(both.Src.In))
	}
}
