package xtables_test

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/kernel/xtables"
	"github.com/weft-net/weft/internal/netns"
	"github.com/weft-net/weft/internal/netstate"
)

func TestMain(m *testing.M) {
	os.Exit(netns.Main(func() int {
		// The program's lock is in a place that only root may write outside.
		lock, err := os.CreateTemp("", "xtables-lock-")
		if err != nil {
			return 1
		}
		defer func() { _ = os.Remove(lock.Name()) }()
		if os.Setenv("XTABLES_LOCKFILE", lock.Name()) != nil {
			return 1
		}
		return m.Run()
	}))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type machine struct {
	*netns.NS
	*xtables.Tools
	tables []string // of the agent
}

func newMachine(t *testing.T) machine {
	t.Helper()
	ns, err := netns.New("host")
	check(t, err)
	t.Cleanup(func() { check(t, ns.Close()) })
	return machine{ns, xtables.New(ns.Do), []string{"weft"}}
}

func (m machine) shell(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out")
	out, err := os.Create(path)
	check(t, err)
	defer func() { _ = out.Close() }()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Env = append(os.Environ(), "PATH=/usr/sbin:/sbin:"+os.Getenv("PATH"))
	cmd.Stdout, cmd.Stderr = out, out
	check(t, m.Start(cmd))
	runErr := cmd.Wait()
	text, err := os.ReadFile(path)
	check(t, err)
	if runErr != nil {
		t.Fatalf("%s: %v\n%s", script, runErr, text)
	}
	return string(text)
}

var networks = []netip.Prefix{netip.MustParsePrefix("10.5.0.0/16"), netip.MustParsePrefix("fd05::/48")}

// settle makes the tables equal to the rows of text.
func (m machine) settle(t *testing.T, text string) []netstate.Op {
	t.Helper()
	want, err := netstate.Parse(strings.NewReader(text))
	check(t, err)
	ops := netstate.Diff(m.observe(t), want)
	for _, op := range ops {
		if err := m.Apply(t.Context(), op); err != nil {
			t.Fatalf("%s: %v", op, err)
		}
	}
	if diff := cmp.Diff(want.String(), m.observe(t).String()); diff != "" {
		t.Fatalf("observed otherwise than wanted:\n%s", diff)
	}
	return ops
}

func (m machine) observe(t *testing.T) *netstate.State {
	t.Helper()
	f, err := m.Observe(t.Context(), netstate.Scope{Networks: networks, Tables: m.tables})
	check(t, err)
	s, err := (&netstate.Builder{Firewall: f}).State()
	check(t, err)
	return s
}

const theirs = `
iptables-legacy -P FORWARD DROP
iptables-legacy -A FORWARD -m comment --comment "not ours" -j ACCEPT
iptables-legacy -N OTHER
iptables-legacy -A INPUT -j OTHER
iptables-legacy -A OTHER -p tcp -j REJECT --reject-with tcp-reset
ip6tables-legacy -A FORWARD -i lo -j ACCEPT
`

const ours = `
hook legacy ip filter FORWARD head ip daddr 10.5.0.0/16 counter accept comment "weft"
hook legacy ip filter FORWARD head ip saddr 10.5.0.0/16 counter accept comment "weft"
hook legacy ip filter INPUT head udp dport 8472 counter accept comment "weft"
hook legacy ip6 filter FORWARD head ip6 saddr fd05::/48 counter accept comment "weft"
`

const dump = "iptables-legacy -S; iptables-legacy -t nat -S; ip6tables-legacy -S"

func TestRulesStandAtTheHead(t *testing.T) {
	m := newMachine(t)
	m.shell(t, theirs)
	before := m.shell(t, dump)
	m.settle(t, ours)
	if ops := m.settle(t, ours); len(ops) > 0 {
		t.Errorf("does not settle: %v", ops)
	}
	m.shell(t, "iptables-legacy -I FORWARD -j DROP; ip6tables-legacy -F FORWARD; iptables-legacy -A INPUT -p udp -m udp --dport 8472 -m comment --comment weft -j ACCEPT")
	m.settle(t, ours)
	m.shell(t, "iptables-legacy -D FORWARD -j DROP; ip6tables-legacy -A FORWARD -i lo -j ACCEPT")
	m.settle(t, "")
	if diff := cmp.Diff(before, m.shell(t, dump)); diff != "" {
		t.Errorf("not as before:\n%s", diff)
	}
}

func TestRulesStandBehindKubernetes(t *testing.T) {
	m := newMachine(t)
	m.shell(t, theirs+"iptables-legacy -N cali-FORWARD; iptables-legacy -A FORWARD -j cali-FORWARD")
	m.settle(t, ours)
	m.shell(t, "iptables-legacy -N KUBE-FORWARD; iptables-legacy -A FORWARD -j KUBE-FORWARD; iptables-legacy -A FORWARD -j DROP")
	m.settle(t, ours)
	if ops := m.settle(t, ours); len(ops) > 0 {
		t.Errorf("does not settle: %v", ops)
	}
	var got []string
	for line := range strings.Lines(m.shell(t, "iptables-legacy -S FORWARD")) {
		words := strings.Fields(line)
		got = append(got, words[len(words)-1])
	}
	if all, want := strings.Join(got, " "), "DROP ACCEPT cali-FORWARD KUBE-FORWARD ACCEPT ACCEPT DROP"; all != want {
		t.Errorf("the order is %s, want %s", all, want)
	}
}

// TestNamedTable has the table's name from an operator (--nft-table), which
// the program prints in quotes. Rules without an address are known by it
// alone.
func TestNamedTable(t *testing.T) {
	for _, name := range []string{"weft.blue", "weft.a-1", "weft.16777215"} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.tables = []string{name}
			m.shell(t, theirs)
			before := m.shell(t, dump)
			named := strings.ReplaceAll(ours, `"weft"`, `"`+name+`"`)
			m.settle(t, named)
			if ops := m.settle(t, named); len(ops) > 0 {
				t.Errorf("does not settle: %v", ops)
			}
			m.settle(t, "")
			if diff := cmp.Diff(before, m.shell(t, dump)); diff != "" {
				t.Errorf("not as before:\n%s", diff)
			}
		})
	}
}

// TestQuotesInComments has rules whose comments the program prints with
// backslashes, one of them a rule that stops packets.
func TestQuotesInComments(t *testing.T) {
	m := newMachine(t)
	m.shell(t, `
iptables-legacy -A FORWARD -m comment --comment 'a " b' -j REJECT
iptables-legacy -N FLANNEL-FWD
iptables-legacy -A FLANNEL-FWD -s 10.5.0.0/16 -j ACCEPT
iptables-legacy -A FORWARD -m comment --comment 'the \ and '"'" -j FLANNEL-FWD`)
	found, err := m.Barriers(t.Context())
	check(t, err)
	if len(found) != 1 || found[0].Rules[0].Stops != "reject in chain FORWARD" {
		t.Errorf("found %v", found)
	}
	if ops := m.settle(t, ""); len(ops) != 1 {
		t.Errorf("removed %v", ops)
	}
}

func TestBarriers(t *testing.T) {
	m := newMachine(t)
	found, err := m.Barriers(t.Context())
	check(t, err)
	if len(found) != 0 {
		t.Errorf("found %v where no table is in use", found)
	}
	m.shell(t, theirs)
	found, err = m.Barriers(t.Context())
	check(t, err)
	var got []string
	for _, b := range found {
		got = append(got, b.String()+": "+b.Rules[0].Stops)
	}
	want := []string{"iptables -t filter chain FORWARD: policy drop", "iptables -t filter chain INPUT: reject in chain OTHER"}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestLeftoversOfFlanneldGo(t *testing.T) {
	m := newMachine(t)
	m.shell(t, theirs)
	before := m.shell(t, dump)
	m.shell(t, `
iptables-legacy -N FLANNEL-FWD
iptables-legacy -A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
iptables-legacy -A FLANNEL-FWD -s 10.5.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
iptables-legacy -t nat -N FLANNEL-POSTRTG
iptables-legacy -t nat -A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
iptables-legacy -t nat -A FLANNEL-POSTRTG -s 10.5.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE`)
	if ops := m.settle(t, ""); len(ops) != 2 {
		t.Errorf("removed %v", ops)
	}
	if diff := cmp.Diff(before, m.shell(t, dump)); diff != "" {
		t.Errorf("not as before:\n%s", diff)
	}
}

func TestMissingProgramIsABarrier(t *testing.T) {
	m := newMachine(t)
	m.shell(t, theirs)
	t.Setenv("PATH", t.TempDir())
	hidden := xtables.New(m.Do, "/nowhere")
	found, err := hidden.Barriers(t.Context())
	check(t, err)
	if len(found) != 4 || found[0].Manager != "" || len(found[0].Rules) == 0 {
		t.Errorf("found %v", found)
	}
	err = hidden.Apply(t.Context(), netstate.Op{Row: netstate.HookRule{Family: "ip", Table: "filter", Chain: "FORWARD"}})
	if !errors.Is(err, xtables.ErrNoProgram) || !strings.Contains(err.Error(), "iptables-legacy") {
		t.Errorf("the error does not name the program: %v", err)
	}
}

// The packets of a network: between its containers, and in its tunnel.
var (
	inside = host.Traffic{
		Family: "ip", Src: []netip.Prefix{netip.MustParsePrefix("10.5.0.0/16")}, Dst: []netip.Prefix{netip.MustParsePrefix("10.5.0.0/16")},
	}
	tunnel = host.Traffic{
		Family: "ip", Src: []netip.Prefix{netip.MustParsePrefix("192.168.7.0/24")},
		Dst: []netip.Prefix{netip.MustParsePrefix("192.168.7.21/32")}, OpenSrc: true, UDPPort: 8472, In: "eth0",
	}
)

// TestWhatStopsTheNetwork has rules as programs write them.
func TestWhatStopsTheNetwork(t *testing.T) {
	for _, tc := range []struct{ name, script, want string }{
		{"fail2ban", `
			iptables-legacy -N f2b-sshd
			iptables-legacy -A f2b-sshd -j RETURN
			iptables-legacy -I INPUT -p tcp -m multiport --dports 22,2200:2222 -j f2b-sshd
			iptables-legacy -I f2b-sshd 1 -s 192.168.7.22 -j REJECT --reject-with icmp-port-unreachable`, ""},
		{"the kubelet", `
			iptables-legacy -N KUBE-FIREWALL
			iptables-legacy -A INPUT -j KUBE-FIREWALL
			iptables-legacy -A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP`, ""},
		{"kube-proxy's nodes' ports without endpoints", `
			iptables-legacy -N KUBE-EXTERNAL-SERVICES
			iptables-legacy -A FORWARD -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES
			iptables-legacy -A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment "default/none has no endpoints" -m addrtype --dst-type LOCAL -m tcp --dport 31234 -j REJECT --reject-with icmp-port-unreachable`, ""},
		{"invalid connections", `iptables-legacy -A FORWARD -m conntrack --ctstate INVALID -j DROP`, ""},
		{"others' ports", `iptables-legacy -A INPUT -p udp -m udp --dport 1:8471 -j DROP; iptables-legacy -A INPUT ! -d 192.168.0.0/16 -j DROP`, ""},
		{"connections that are not established", `iptables-legacy -A FORWARD -m conntrack ! --ctstate RELATED,ESTABLISHED -j DROP`,
			"filter FORWARD: drop in chain FORWARD"},
		{"an inverted port", `iptables-legacy -A INPUT -p udp -m udp ! --dport 53 -j DROP`, "filter INPUT: drop in chain INPUT"},
		{"an inverted interface", `iptables-legacy -t raw -A PREROUTING -d 10.5.21.2/32 ! -i docker0 -j DROP`,
			"raw PREROUTING: drop in chain PREROUTING"},
		{"another bridge", `iptables-legacy -t raw -A PREROUTING -d 172.18.0.2/32 ! -i br-5e1d -j DROP`, ""},
		{"a filter of reverse paths", `iptables-legacy -t raw -A PREROUTING -m rpfilter --validmark --invert -j DROP`, ""},
		{"a loose one", `iptables-legacy -t raw -A PREROUTING -m rpfilter --loose --invert -j DROP`, ""},
		{"the opposite of a loose one", `iptables-legacy -t raw -A PREROUTING -m rpfilter --loose -j DROP`, "raw PREROUTING: drop in chain PREROUTING"},
		{"flags without values", `iptables-legacy -A FORWARD -m addrtype --dst-type UNICAST --limit-iface-out ! -d 10.0.0.0/8 -j DROP; iptables-legacy -A FORWARD -p tcp -m tcp --tcp-flags SYN SYN -m addrtype --src-type UNICAST --limit-iface-out -m tcp ! --dport 22 -j DROP`,
			"filter FORWARD: drop in chain FORWARD"},
		{"mangle", `iptables-legacy -t mangle -A POSTROUTING -s 10.5.0.0/16 -m mark --mark 1 -j DROP`,
			"mangle POSTROUTING: drop in chain POSTROUTING"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMachine(t)
			m.shell(t, tc.script)
			found, err := m.Barriers(t.Context())
			check(t, err)
			var got []string
			for _, b := range found {
				packets := inside
				if b.Hook == "input" {
					packets = tunnel
				}
				if how := b.Stops(packets); how != "" {
					got = append(got, b.Table+" "+b.Chain+": "+how)
				}
			}
			if all := strings.Join(got, "; "); all != tc.want {
				t.Errorf("stops %q, want %q\n%s", all, tc.want, m.shell(t, dump))
			}
		})
	}
}

// TestRulesStandInEveryTable has a rule of ours ahead of Docker's, where that
// drops what is not from its bridge.
func TestRulesStandInEveryTable(t *testing.T) {
	m := newMachine(t)
	m.shell(t, "iptables-legacy -t raw -A PREROUTING -d 10.5.21.2/32 ! -i docker0 -j DROP")
	const raw = "iptables-legacy -t raw -S PREROUTING"
	before := m.shell(t, raw)
	const accept = `hook legacy ip raw PREROUTING head ip saddr 10.5.0.0/16 ip daddr 10.5.0.0/16 counter accept comment "weft"`
	m.settle(t, accept)
	if ops := m.settle(t, accept); len(ops) > 0 {
		t.Errorf("does not settle: %v", ops)
	}
	if got := m.shell(t, raw); !strings.Contains(got, "ACCEPT\n-A PREROUTING -d 10.5.21.2/32 ! -i docker0 -j DROP") {
		t.Errorf("not at the head:\n%s", got)
	}
	m.settle(t, "")
	if diff := cmp.Diff(before, m.shell(t, raw)); diff != "" {
		t.Errorf("not as before:\n%s", diff)
	}
}
