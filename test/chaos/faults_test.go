package chaos

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"syscall"

	"github.com/weft-net/weft/internal/lab"
)

// faults lists every kind, those of the hosts more often than those of the store.
func faults() []fault {
	out := []fault{
		{"agent killed", onHost("agent", killed, (*member).start)},
		{"agent hangs", onHost("agent", sent(syscall.SIGSTOP), sent(syscall.SIGCONT))},
		{"uplink unplugged", unplugged},
		{"uplink down", onHost("uplink", func(m *member) error { return m.LinkDown(lab.Uplink) }, func(m *member) error { return m.LinkUp(lab.Uplink) })},
		{"uplink address changed", onHost("uplink", move, nil)},
		{"segment cut", cut},
	}
	for name, script := range drifts {
		out = append(out, fault{name, onHost("rows", shell(script), nil)})
	}
	sortByName(out)
	return append(out, storeFaults()...)
}

// drifts are changes of another program to kernel objects, which the agent has to repair. Each must work
// with any objects that are there.
var drifts = map[string]string{
	"device deleted":      eachDevice + `ip link del $dev; done`,
	"device down":         eachDevice + `ip link set $dev down; done`,
	"device renamed":      eachDevice + `ip link set $dev down name l-$dev; done`,
	"device's MAC change": eachDevice + `ip link set $dev address 02:00:00:00:00:99; done`,
	"device's addresses":  eachDevice + `ip addr flush dev $dev; done`,
	"routes flushed":      `for net in 172.7.0.0/16 fd17:7::/48; do ip route show root $net proto 119 | while read dst rest; do ip route del $dst; done; done`,
	"a route deleted":     `set -- $(ip route show root 172.7.0.0/16 proto 119 | head -1); [ -z "$1" ] || ip route del $1`,
	"a route replaced":    `set -- $(ip route show root 172.7.0.0/16 proto 119 | head -1); [ -z "$1" ] || ip route replace $1 dev lo`,
	"a route overtaken":   `set -- $(ip route show root fd17:7::/48 proto 119 | head -1); [ -z "$1" ] || ip -6 route add $1 dev lo metric 10`,
	"a stale route":       eachDevice + `ip route add 172.7.99.0/24 via 172.7.99.0 dev $dev onlink; done`,
	"neighbours flushed":  eachDevice + `ip neigh flush dev $dev nud permanent; done`,
	"FDB flushed":         eachDevice + `bridge fdb show dev $dev | while read mac rest; do bridge fdb del $mac dev $dev $rest; done; done`,
	"nexthops flushed":    `ip nexthop flush proto 119`,
	"sysctls off":         `sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0`,
	"firewall flushed":    `nft flush ruleset`,
}

const eachDevice = `for dev in $(ip -o link show type vxlan | sed -n 's/^[0-9]*: \(flannel[^:@]*\).*/\1/p'); do `

type begin = func(*world, *rand.Rand) (broken, error)

func onHost(part string, do, end func(*member) error) begin {
	return func(w *world, rnd *rand.Rand) (broken, error) {
		m := w.members[rnd.IntN(len(w.members))]
		b := broken{what: m.Name + " " + part, do: func() error { return do(m) }}
		if end != nil {
			b.end = func() error { return end(m) }
		}
		return b, nil
	}
}

func killed(m *member) error {
	m.agent.Kill()
	return nil
}

func sent(s syscall.Signal) func(*member) error {
	return func(m *member) error { return syscall.Kill(m.agent.PID(), s) }
}

// shell runs a script on the host. Rows may be gone before it comes to them, so that its exit code says nothing.
func shell(script string) func(*member) error {
	return func(m *member) error {
		_, _ = m.run("sh", "-c", script)
		return nil
	}
}

func unplugged(w *world, rnd *rand.Rand) (broken, error) {
	m := w.members[rnd.IntN(len(w.members))]
	return broken{
		what: m.Name + " uplink",
		do:   func() error { return w.lab.Unplug(m.Host) },
		end:  func() error { return w.lab.Replug(m.Host) },
	}, nil
}

// move gives the uplink another IPv4 address, or the first one back.
func move(m *member) error {
	first := m.Addrs[0]
	bytes := first.Addr().As4()
	bytes[3] += 100
	second := netip.PrefixFrom(netip.AddrFrom4(bytes), first.Bits())
	from, to := first, second
	if m.moved {
		from, to = to, from
	}
	m.moved = !m.moved
	gateway := first.Masked().Addr().Next()
	_, err := m.run("sh", "-ec", fmt.Sprintf("ip addr del %s dev eth0; ip addr add %s dev eth0; ip route replace default via %s", from, to, gateway))
	return err
}

func cut(w *world, rnd *rand.Rand) (broken, error) {
	s := w.lab.Topology.Segments[rnd.IntN(len(w.lab.Topology.Segments))].Name
	return broken{
		what: "segment " + s,
		do:   func() error { return w.lab.Cut(s) },
		end:  func() error { return w.lab.Restore(s) },
	}, nil
}
