package explain_test

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/explain"
	"github.com/weft-net/weft/internal/explain/explaintest"
	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netdump"
)

var update = flag.Bool("update", false, "write the goldens anew")

// encrypted changes what is known of the device of an encrypted path.
func encrypted(change func(*netdump.WireGuard)) func(*explain.Facts) {
	return func(f *explain.Facts) {
		explaintest.Encrypted(f)
		change(&f.Kernel.Ciphers[0])
	}
}

// cases are what is wrong with a host, and which packet is followed. Without a source it
// is the container 10.5.1.2 of this host.
var cases = []struct {
	name, src, dst string
	change         func(*explain.Facts)
}{
	{"to a container by the tunnel", "", "10.5.3.9", nil},
	{"to a container on the segment", "", "10.5.2.9", nil},
	{"from a container by the tunnel", "10.5.3.9", "10.5.1.2", nil},
	{"from a container on the segment", "10.5.2.9", "10.5.1.2", nil},
	{"from this host", "192.168.7.21", "10.5.3.9", nil},
	{"to this host", "", "192.168.7.21", nil},
	{"to a peer's host", "", "192.168.8.23", nil},
	{"to the outside", "", "203.0.113.5", nil},
	{"within the bridge", "", "10.5.1.3", nil},
	{"between others", "10.5.2.9", "10.5.3.9", nil},
	{"to no lease", "", "10.5.77.2", nil},
	{"from no container", "10.5.1.200", "10.5.3.9", func(f *explain.Facts) { neigh(f, "10.5.1.200", "cni0", "failed") }},
	{"from a container that was silent", "10.5.1.201", "10.5.3.9", nil},
	{"no device to containers", "", "10.5.3.9", func(f *explain.Facts) { dropRoutes(f, "10.5.1.0/24") }},
	{"forwarding off", "", "10.5.3.9", func(f *explain.Facts) { f.Kernel.Params["net/ipv4/conf/cni0/forwarding"] = "0" }},
	{"forwarding off altogether", "", "10.5.3.9", func(f *explain.Facts) {
		f.Kernel.Params["net/ipv4/conf/cni0/forwarding"], f.Kernel.Params["net/ipv4/ip_forward"] = "0", "0"
	}},
	{"route missing", "", "10.5.3.9", func(f *explain.Facts) { dropRoutes(f, "10.5.3.0/24") }},
	{"route missing without an agent", "", "10.5.3.9", func(f *explain.Facts) { dropRoutes(f, "10.5.3.0/24"); f.Agent = false }},
	{"route overridden", "", "10.5.3.9", func(f *explain.Facts) {
		f.Kernel.Routes = append(f.Kernel.Routes, explaintest.Route("10.5.3.9/32", "192.168.7.99", "eth0", 3))
	}},
	{"route refused", "", "10.5.3.9", func(f *explain.Facts) {
		f.Kernel.Routes = append(f.Kernel.Routes, netdump.Route{Kind: "blackhole", Dst: netip.MustParsePrefix("10.5.3.0/25"), Table: host.MainTable, Proto: 4})
	}},
	{"route diverted", "", "10.5.3.9", func(f *explain.Facts) {
		diverted := explaintest.Route("10.5.2.0/23", "192.168.7.99", "eth0", 3)
		diverted.Table = 77
		f.Kernel.Routes = append(f.Kernel.Routes, diverted)
		f.Kernel.Rules = append([]host.PolicyRule{{Family: netconf.V4, Priority: 100, Table: 77, Suppress: -1}}, f.Kernel.Rules...)
	}},
	{"no plan for the peer", "", "10.5.2.9", func(f *explain.Facts) {
		f.Plan = explaintest.Plan(strings.ReplaceAll(explaintest.PlanText, "route   10.5.2.0/24 via 192.168.7.22 dev eth0\n", ""))
		f.Status.Peers[0].Problem = "announces host-gw from another segment"
	}},
	{"neighbour missing", "", "10.5.3.9", func(f *explain.Facts) { f.Kernel.Neighs = f.Kernel.Neighs[:1] }},
	{"neighbour wrong", "", "10.5.3.9", func(f *explain.Facts) { f.Kernel.Neighs[1].MAC = "02:00:00:00:00:99" }},
	{"entry missing", "", "10.5.3.9", func(f *explain.Facts) { f.Kernel.FDB = nil }},
	{"entry missing and no plan known", "", "10.5.3.9", func(f *explain.Facts) { f.Kernel.FDB, f.Plan, f.Agent = nil, nil, false }},
	{"entry wrong", "", "10.5.3.9", func(f *explain.Facts) { f.Kernel.FDB[0].Dst = netip.MustParseAddr("192.168.8.99") }},
	{"tunnel missing", "", "10.5.3.9", func(f *explain.Facts) { f.Kernel.Links = f.Kernel.Links[:3] }},
	{"tunnel down", "", "10.5.3.9", func(f *explain.Facts) { f.Kernel.Links[3].Up = false }},
	{"tunnel with another VNI", "", "10.5.3.9", func(f *explain.Facts) { f.Kernel.Links[3].VNI = 2 }},
	{"no way to the peer's host", "", "10.5.3.9", func(f *explain.Facts) { dropRoutes(f, "0.0.0.0/0") }},
	{"uplink without a cable", "", "10.5.3.9", func(f *explain.Facts) { f.Kernel.Links[1].Carrier = false }},
	{"gateway silent", "", "10.5.3.9", func(f *explain.Facts) { f.Kernel.Neighs[2].State = "incomplete" }},
	{"dropped on the way through", "", "10.5.3.9", func(f *explain.Facts) {
		chain(f, "inet mine through forward -300", rule(4, "ip daddr 10.5.3.0/24 drop", to("10.5.3.0/24"), netdump.Drop))
	}},
	{"rejected behind an accept elsewhere", "", "10.5.3.9", func(f *explain.Facts) {
		chain(f, "inet weft through forward 0", rule(2, "ip daddr 10.5.0.0/16 accept", to("10.5.0.0/16"), netdump.Accept))
		chain(f, "ip filter FORWARD forward 1", rule(9, "oifname \"flannel.1\" reject", host.Match{Out: []string{"flannel.1"}}, netdump.Reject))
	}},
	{"dropped by a policy", "", "10.5.3.9", func(f *explain.Facts) {
		chain(f, "ip filter FORWARD forward 0")
		f.Kernel.Firewall.Chains[0].Policy = "drop"
	}},
	{"accepted ahead of a policy", "", "10.5.3.9", func(f *explain.Facts) {
		chain(f, "ip filter FORWARD forward 0", rule(2, "ip daddr 10.5.0.0/16 accept", to("10.5.0.0/16"), netdump.Accept))
		f.Kernel.Firewall.Chains[0].Policy = "drop"
	}},
	{"perhaps accepted ahead of a policy", "", "10.5.3.9", func(f *explain.Facts) {
		chain(f, "ip filter FORWARD forward 0", rule(2, "limit accept", host.Match{Opaque: true}, netdump.Accept))
		f.Kernel.Firewall.Chains[0].Policy = "drop"
	}},
	{"dropped in a chain that another leads to", "", "10.5.3.9", func(f *explain.Facts) {
		chain(f, "ip filter FORWARD forward 0", jump(2, "jump USER", "USER"), rule(3, "accept", host.Match{}, netdump.Accept))
		chain(f, "ip filter USER", rule(5, "ip saddr 10.9.0.0/16 return", host.Match{Src: in("10.9.0.0/16")}, netdump.Return), rule(6, "drop", host.Match{}, netdump.Drop))
	}},
	{"returned to the chain that led here", "", "10.5.3.9", func(f *explain.Facts) {
		chain(f, "ip filter FORWARD forward 0", jump(2, "jump USER", "USER"), rule(3, "accept", host.Match{}, netdump.Accept))
		chain(f, "ip filter USER", rule(5, "return", host.Match{}, netdump.Return), rule(6, "drop", host.Match{}, netdump.Drop))
	}},
	{"perhaps dropped", "", "10.5.3.9", func(f *explain.Facts) {
		chain(f, "inet mine through forward 0", rule(4, "ct mark 0x1 drop", host.Match{Opaque: true}, netdump.Drop))
	}},
	{"dropped if it were a connection that is known", "", "10.5.3.9", func(f *explain.Facts) {
		chain(f, "inet mine through forward 0", rule(4, "ct state invalid drop", host.Match{States: host.Invalid}, netdump.Drop))
	}},
	{"source kept ahead of a masquerade", "", "10.5.3.9", func(f *explain.Facts) {
		chain(f, "inet weft source postrouting 99", rule(2, "ip saddr 10.5.0.0/16 ip daddr 10.5.0.0/16 snat to ip saddr", to("10.5.0.0/16"), netdump.KeepSource))
		chain(f, "ip nat POSTROUTING postrouting 100", rule(3, "masquerade", host.Match{}, netdump.Masquerade))
		f.Kernel.Firewall.Chains[0].Type, f.Kernel.Firewall.Chains[1].Type = "nat", "nat"
	}},
	{"to a container by an encrypted path", "", "10.5.3.9", explaintest.Encrypted},
	{"from a container by an encrypted path", "10.5.3.9", "10.5.1.2", explaintest.Encrypted},
	{"encrypted in user space without a handshake", "", "10.5.3.9", encrypted(func(w *netdump.WireGuard) {
		w.UserSpace, w.Peers[0].Handshake = true, time.Time{}
	})},
	{"last handshake too long ago", "", "10.5.3.9", encrypted(func(w *netdump.WireGuard) {
		w.Peers[0].Handshake = w.Peers[0].Handshake.Add(-4 * time.Minute)
	})},
	{"nothing sent to encrypt", "", "10.5.3.9", encrypted(func(w *netdump.WireGuard) { w.Peers[0].Handshake, w.Peers[0].Sent = time.Time{}, 0 })},
	{"allowed prefix missing", "", "10.5.3.9", encrypted(func(w *netdump.WireGuard) { w.Peers[0].Allowed = nil })},
	{"allowed prefix of another peer", "", "10.5.3.9", encrypted(func(w *netdump.WireGuard) { w.Peers[0].Key = w.Key })},
	{"device of another port", "", "10.5.3.9", encrypted(func(w *netdump.WireGuard) { w.Port = 51999 })},
	{"device for which nobody answers", "", "10.5.3.9", encrypted(func(w *netdump.WireGuard) { w.Mute = "no WireGuard answers for the device" })},
	{"guard without the peer", "10.5.3.9", "10.5.1.2", func(f *explain.Facts) {
		peers := host.Match{Protos: []uint8{17}, Ports: []host.PortRange{{First: 8472, Last: 8472}}, Src: host.Addrs{Not: []netip.Prefix{netip.MustParsePrefix("192.168.7.22/32")}}}
		chain(f, "inet weft guard input -10", rule(4, "ip saddr != @peers4 udp dport 8472 drop", peers, netdump.Drop))
	}},
	{"UDP closed", "10.5.3.9", "10.5.1.2", func(f *explain.Facts) {
		chain(f, "ip filter INPUT input 0", rule(2, "tcp dport 22 accept", host.Match{Protos: []uint8{6}, Ports: []host.PortRange{{First: 22, Last: 22}}}, netdump.Accept))
		f.Kernel.Firewall.Chains[0].Policy = "drop"
	}},
	{"UDP closed on the way out", "", "10.5.3.9", func(f *explain.Facts) {
		chain(f, "ip filter OUTPUT output 0", rule(2, "udp dport 8472 drop", host.Match{Protos: []uint8{17}, Ports: []host.PortRange{{First: 8472, Last: 8472}}}, netdump.Drop))
	}},
	{"a service", "", "10.96.0.10", func(f *explain.Facts) {
		chain(f, "ip nat PREROUTING prerouting -100", jump(2, "jump SVC", "SVC"))
		chain(f, "ip nat SVC", dnat(3, "10.5.3.9", true), dnat(4, "10.5.1.3", false))
		f.Kernel.Firewall.Chains[0].Type = "nat"
	}},
	{"a firewall that cannot be read", "", "10.5.3.9", func(f *explain.Facts) { f.Kernel.Firewall.Absent = "CAP_NET_ADMIN is needed" }},
	{"forwarding not known", "", "10.5.3.9", func(f *explain.Facts) { f.Kernel.Params = nil }},
	{"probes answered", "", "10.5.3.9", func(f *explain.Facts) {
		reach(f, api.Reach{State: api.ReachPasses, RTT: 216 * time.Microsecond, Loss: 0.02})
	}},
	{"large probes lost", "", "10.5.3.9", func(f *explain.Facts) {
		reach(f, api.Reach{State: api.ReachPasses, RTT: 216 * time.Microsecond, MTU: 1372})
	}},
	{"probes lost", "", "10.5.3.9", func(f *explain.Facts) { reach(f, api.Reach{State: api.ReachLost, Since: time.Unix(1e9, 0)}) }},
	{"no probe answered yet", "", "10.5.3.9", func(f *explain.Facts) { reach(f, api.Reach{State: api.ReachUnmeasured}) }},
	{"a legacy chain", "", "10.5.3.9", func(f *explain.Facts) {
		f.Kernel.Legacy = []host.Barrier{{Via: "legacy", Family: "ip", Table: "filter", Chain: "FORWARD", Hook: "forward", Manager: "iptables",
			Rules: []host.Rule{{Stops: "policy drop"}}}}
	}},
}

func TestGoldens(t *testing.T) {
	const file = "testdata/ways.txtar"
	var got txtar.Archive
	for _, c := range cases {
		f := explaintest.Facts()
		if c.change != nil {
			c.change(&f)
		}
		if c.src == "" {
			c.src = "10.5.1.2"
		}
		got.Files = append(got.Files, txtar.File{Name: c.name, Data: []byte(follow(f, c.src, c.dst))})
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(&got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(txtar.Format(&got))); diff != "" {
		t.Error(diff)
	}
}

func follow(f explain.Facts, src, dst string) string {
	q := explain.Query{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst)}
	r, err := explain.Explain(f, q, func(q netdump.Question) (netdump.Answer, error) { return f.Kernel.Lookup(q), nil })
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s -> %s %s\n", q.Src, r.Source.Kind, q.Dst, r.Destination.Kind)
	for _, s := range r.Stations {
		fmt.Fprintf(&b, "%-7s %s: %s\n", s.State, s.Name, s.Object)
		for _, more := range []string{s.Note, s.Remedy} {
			if more != "" {
				fmt.Fprintf(&b, "        %s\n", more)
			}
		}
	}
	if err != nil {
		fmt.Fprintf(&b, "%v\n", err)
	}
	return b.String()
}

// TestARouterThatFails passes its error on.
func TestARouterThatFails(t *testing.T) {
	failed := errors.New("no answer")
	q := explain.Query{Src: netip.MustParseAddr("10.5.1.2"), Dst: netip.MustParseAddr("10.5.3.9")}
	_, err := explain.Explain(explaintest.Facts(), q, func(netdump.Question) (netdump.Answer, error) { return netdump.Answer{}, failed })
	if !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
}

// TestOnlyTheLastStationIsBroken of every case.
func TestOnlyTheLastStationIsBroken(t *testing.T) {
	for _, c := range cases {
		f := explaintest.Facts()
		if c.change != nil {
			c.change(&f)
		}
		q := explain.Query{Src: netip.MustParseAddr("10.5.1.2"), Dst: netip.MustParseAddr(c.dst)}
		r, _ := explain.Explain(f, q, func(q netdump.Question) (netdump.Answer, error) { return f.Kernel.Lookup(q), nil })
		for i, s := range r.Stations {
			if s.State == explain.Broken && (i != len(r.Stations)-1 || s.Remedy == "") {
				t.Errorf("%s: %+v is not the last, or has no remedy", c.name, s)
			}
		}
	}
}
