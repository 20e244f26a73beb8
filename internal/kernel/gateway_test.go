package kernel_test

import (
	"net/netip"
	"slices"
	"testing"
)

func TestGateways(t *testing.T) {
	ns := newHost(t)
	shell(t, ns, `
		ip route add 172.7.22.0/24 via 10.4.7.22
		ip route add 172.7.22.0/24 via 10.4.7.23 metric 50
		ip route add 172.7.0.0/16 via 10.4.7.1
		ip route add 172.7.24.0/24 dev eth0
		ip route add fd00:7:22::/64 via fd00:4:7::22
		ip route add 172.7.25.0/24 nexthop via 10.4.7.22 nexthop via 10.4.7.23
		ip nexthop add id 1 via 10.4.7.22 dev eth0
		ip nexthop add id 2 via 10.4.7.23 dev eth0
		ip nexthop add id 3 group 1/2
		ip nexthop add id 4 dev eth0
		ip route add 172.7.26.0/24 nhid 1
		ip route add 172.7.27.0/24 nhid 3
		ip route add 172.7.28.0/24 nhid 4
		sysctl -qw net.ipv4.nexthop_compat_mode=0`)
	k := open(t, ns)
	for dst, want := range map[string][]string{
		"172.7.22.0/24":  {"10.4.7.22", "10.4.7.23"},
		"172.7.22.1/24":  {"10.4.7.22", "10.4.7.23"},
		"172.7.22.0/25":  nil,
		"172.7.23.0/24":  nil,
		"172.7.24.0/24":  nil,
		"172.7.25.0/24":  {"10.4.7.22", "10.4.7.23"},
		"172.7.26.0/24":  {"10.4.7.22"},
		"172.7.27.0/24":  {"10.4.7.22", "10.4.7.23"},
		"172.7.28.0/24":  nil,
		"10.4.7.0/24":    nil,
		"fd00:7:22::/64": {"fd00:4:7::22"},
	} {
		got, err := k.Gateways(t.Context(), netip.MustParsePrefix(dst))
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, a := range got {
			texts = append(texts, a.String())
		}
		slices.Sort(texts)
		if !slices.Equal(texts, want) {
			t.Errorf("Gateways(%s) = %v, want %v", dst, texts, want)
		}
	}
}
