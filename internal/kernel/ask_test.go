package kernel_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/netdump"
)

// TestAskAndLookupAgree asks the kernel and a copy of it the same questions.
func TestAskAndLookupAgree(t *testing.T) {
	ns := newHost(t)
	shell(t, ns, `
		sysctl -qw net.ipv4.conf.all.forwarding=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0
		ip link add cni0 type bridge
		ip addr add 10.5.1.1/24 dev cni0
		ip addr add fd05:1::1/64 dev cni0 nodad
		ip link set cni0 up
		ip route add default via 10.4.7.1
		ip route add 10.5.2.0/24 via 10.4.7.22
		ip route add 10.5.2.9/32 via 10.4.7.23
		ip route add blackhole 10.5.9.0/24
		ip route add 10.5.8.0/24 via 10.4.7.1 metric 50
		ip route add 10.5.8.0/24 via 10.4.7.2 metric 20
		ip route add 10.6.0.0/16 via 10.4.7.77 table 77
		ip route add throw 10.6.1.0/24 table 77
		ip rule add from 10.5.1.0/24 lookup 77 priority 100
		ip rule add to 10.7.0.0/16 unreachable priority 101
		ip rule add fwmark 0x1 goto 32766 priority 99
		ip -6 route add fd05:2::/64 via fd00:4:7::22
		ip -6 route add unreachable fd05:9::/64`)
	k := open(t, ns)
	copied, err := k.Dump(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, text := range []string{
		"10.5.2.1", "10.5.2.9", "10.5.9.1", "10.5.8.1", "10.4.7.21", "10.4.7.30", "203.0.113.1", "10.6.0.1 10.5.1.2 cni0", "10.6.1.1 10.5.1.2 cni0",
		"10.7.0.1", "10.5.2.1 10.5.1.2 cni0", "10.5.1.9", "10.5.1.9 10.5.2.9 eth0", "10.5.9.1 10.5.1.2 cni0",
		"fd05:2::1", "fd05:9::1", "fd05:1::9 fd05:2::1 eth0", "fd00:4:7::21",
	} {
		w := strings.Fields(text)
		q := netdump.Question{Dst: netip.MustParseAddr(w[0])}
		if len(w) == 3 {
			q.Src, q.In = netip.MustParseAddr(w[1]), w[2]
		}
		asked, err := k.Ask(t.Context(), q)
		if err != nil {
			t.Errorf("%s: %v", q, err)
			continue
		}
		found := copied.Lookup(q)
		if (asked.Refused == "") != (found.Refused == "") {
			t.Errorf("%s: the kernel says %+v, the copy %+v", q, asked, found)
			continue
		}
		if asked.Refused != "" {
			refused++
			continue
		}
		a, b := asked.Hop(), found.Hop()
		if a.Via != b.Via || a.Dev != b.Dev && asked.Kind != netdump.Local || asked.Kind != found.Kind || asked.Table != found.Table {
			t.Errorf("%s: the kernel says %s, the copy %s", q, asked, found)
		}
	}
	if refused < 4 {
		t.Errorf("only %d questions are refused", refused)
	}
}

// TestAskTellsTheReversePathFilter of what a copy cannot know.
func TestAskTellsTheReversePathFilter(t *testing.T) {
	ns := newHost(t)
	shell(t, ns, `
		sysctl -qw net.ipv4.conf.all.forwarding=1 net.ipv4.conf.eth0.rp_filter=1
		ip link add cni0 type bridge
		ip addr add 10.5.1.1/24 dev cni0
		ip link set cni0 up`)
	q := netdump.Question{Dst: netip.MustParseAddr("10.5.1.9"), Src: netip.MustParseAddr("10.5.1.2"), In: "eth0"}
	a, err := open(t, ns).Ask(t.Context(), q)
	if err != nil || !strings.Contains(a.Refused, "rp_filter") {
		t.Errorf("got %+v, %v", a, err)
	}
}
