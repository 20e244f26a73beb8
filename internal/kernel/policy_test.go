package kernel_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/host"
)

// TestRoutingIsWhatTheKernelDoes compares what follows from random policy rules
// and routes with the kernel's own answers (RTM_GETROUTE).
func TestRoutingIsWhatTheKernelDoes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	for range 8 {
		for _, f := range []policyFamily{
			{ip: "ip", bits: 32, hosts: "10.4.%d.%d", src: "10.4.7.21", overlay: "10.5.0.0/16", gateway: "10.4.7.1", elsewhere: "10.8.0.1", lengths: []int{8, 16, 22, 24, 26, 32}},
			{ip: "ip -6", bits: 128, hosts: "fd00:4:%d::%d", src: "fd00:4:7::21", overlay: "fd05::/48", gateway: "fd00:4:7::1", elsewhere: "fd00:8::1", lengths: []int{16, 32, 44, 48, 120, 128}},
		} {
			compareRouting(t, f, f.script(rnd), f.questions(rnd))
		}
	}
}

// policyFamily is what the test says in the words of a family.
type policyFamily struct {
	ip, hosts, src, overlay, gateway, elsewhere string
	bits                                        int
	lengths                                     []int
}

func (f policyFamily) prefix(rnd *rand.Rand) string {
	a := netip.MustParseAddr(fmt.Sprintf(f.hosts, 6+rnd.IntN(4), rnd.IntN(80)))
	return netip.PrefixFrom(a, f.lengths[rnd.IntN(len(f.lengths))]).Masked().String()
}

// script sets up rules, tables 100 to 102 and more routes of the main table.
func (f policyFamily) script(rnd *rand.Rand) string {
	pick := func(list ...string) string { return list[rnd.IntN(len(list))] }
	lines := []string{"ip addr add 10.8.0.5/24 dev eth0-peer", "ip addr add fd00:8::5/64 dev eth0-peer nodad"}
	for range 2 + rnd.IntN(5) {
		table := pick("100", "101", "102", "main")
		to := pick(f.prefix(rnd), f.prefix(rnd), "default")
		where := pick("dev eth0", "dev eth0", "dev eth0-peer", "via "+f.gateway+" dev eth0", "via "+f.elsewhere+" dev eth0-peer")
		if kind := rnd.IntN(8); kind < 2 {
			to, where = pick("unreachable ", "throw ")+to, ""
		}
		lines = append(lines, fmt.Sprintf("%s route add %s %s table %s 2>/dev/null || true", f.ip, to, where, table))
	}
	for i := range rnd.IntN(5) {
		not := pick("", "", "", "not ")
		sel := pick("from all", "from "+f.src, "to "+f.prefix(rnd), "fwmark 7", "iif lo", "oif eth0", "from "+f.overlay, "ipproto tcp", "ipproto udp", "from "+f.src+" to "+f.prefix(rnd))
		act := pick("lookup 100", "lookup 101", "lookup 102", "lookup main suppress_prefixlength 0", "lookup main", "unreachable", fmt.Sprintf("goto %d", 10+rnd.IntN(6)), "nop")
		lines = append(lines, fmt.Sprintf("%s rule add %s%s %s priority %d 2>/dev/null || true", f.ip, not, sel, act, 10+i))
	}
	return strings.Join(lines, "\n")
}

func (f policyFamily) questions(rnd *rand.Rand) (out []netip.Addr) {
	for range 16 {
		out = append(out, netip.MustParseAddr(fmt.Sprintf(f.hosts, 6+rnd.IntN(4), 1+rnd.IntN(80))))
	}
	return out
}

func compareRouting(t *testing.T, f policyFamily, script string, questions []netip.Addr) {
	t.Helper()
	ns := newHost(t)
	shell(t, ns, script)
	facts, err := host.Choose(t.Context(), open(t, ns), host.Options{Iface: []string{"eth0"}}, []netip.Prefix{netip.MustParsePrefix(f.overlay)}, host.Uplink{})
	if err != nil {
		t.Fatal(err)
	}
	var ask strings.Builder
	for _, q := range questions {
		for _, how := range []string{"oif eth0", "from " + f.src + " oif eth0"} {
			fmt.Fprintf(&ask, "echo \"$(%s route get fibmatch %s %s ipproto udp 2>&1 | head -1)\"\n", f.ip, q, how)
		}
	}
	answers := strings.Split(strings.TrimSuffix(shell(t, ns, ask.String()), "\n"), "\n")
	holds := func(list []netip.Prefix, a netip.Addr) bool {
		return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	for i, q := range questions {
		if q.String() == f.src {
			continue
		}
		open, from := answers[2*i], answers[2*i+1]
		unreached := slices.ContainsFunc(facts.Uplink.Unreached, func(u host.Unreached) bool { return u.Dst.Contains(q) })
		link := holds(facts.Uplink.OnLink, q)
		// What is on-link may be reached by a wider route of the same device if the kernel is asked for
		// that device; then it is not said to be on-link.
		if byFlag := holds(facts.Uplink.ByFlag, q); link && (!byFlag && !isLinkAnswer(open) || byFlag && !isLinkAnswer(from)) {
			t.Errorf("%s is on-link (by flag: %t); the kernel: %q, from %s: %q\n%s", q, byFlag, open, f.src, from, script)
		}
		if reached := strings.Contains(from, " dev eth0 "); !link && unreached == reached {
			t.Errorf("%s is not reached: %t; the kernel: %q\n%s", q, unreached, from, script)
		}
	}
}

// isLinkAnswer reports whether ip says that a destination is on eth0's link.
func isLinkAnswer(answer string) bool {
	return strings.Contains(answer, " dev eth0 ") && !strings.Contains(answer, " via ") && !strings.HasPrefix(answer, "default")
}
