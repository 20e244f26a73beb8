package nft_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/nft"
	"github.com/weft-net/weft/internal/netns"
	"github.com/weft-net/weft/internal/netstate"
)

func TestMain(m *testing.M) { os.Exit(netns.Main(m.Run)) }

// machine is a host whose firewall a test works on.
type machine struct {
	*netns.NS
	*nft.Conn
	dir string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	ns, err := netns.New("host")
	check(t, err)
	t.Cleanup(func() { check(t, ns.Close()) })
	return &machine{NS: ns, Conn: open(t, ns), dir: t.TempDir()}
}

func open(t *testing.T, ns *netns.NS) (c *nft.Conn) {
	t.Helper()
	check(t, ns.Do(func() (err error) {
		c, err = nft.Open(slog.New(slog.DiscardHandler))
		return err
	}))
	t.Cleanup(func() { check(t, c.Close()) })
	return c
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// shell runs a script on the host and returns what it printed.
func (m *machine) shell(t *testing.T, script string) string {
	t.Helper()
	out, err := os.CreateTemp(m.dir, "")
	check(t, err)
	defer func() { _ = out.Close() }()
	cmd := exec.Command("sh", "-ec", script)
	// iptables takes a lock file that only root may write outside.
	cmd.Env = append(os.Environ(), "XTABLES_LOCKFILE="+m.dir+"/lock", "PATH=/usr/sbin:/sbin:"+os.Getenv("PATH"))
	cmd.Stdout, cmd.Stderr = out, out
	check(t, m.Start(cmd))
	runErr := cmd.Wait()
	text, err := os.ReadFile(out.Name())
	check(t, err)
	if runErr != nil {
		t.Fatalf("%s: %v\n%s", script, runErr, text)
	}
	return string(text)
}

func parse(t *testing.T, text string) *netstate.State {
	t.Helper()
	s, err := netstate.Parse(strings.NewReader(text))
	check(t, err)
	return s
}

var scope = netstate.Scope{Networks: []netip.Prefix{netip.MustParsePrefix("10.5.0.0/16"), netip.MustParsePrefix("fd05::/48")}, Tables: []string{"weft"}}

func (m *machine) observe(t *testing.T) *netstate.State {
	t.Helper()
	f, err := m.Observe(t.Context(), scope)
	check(t, err)
	s, err := (&netstate.Builder{Firewall: f}).State()
	check(t, err)
	return s
}

// settle makes the host's firewall equal to want and returns the changes.
func (m *machine) settle(t *testing.T, want *netstate.State) []netstate.Op {
	t.Helper()
	ops := netstate.Diff(m.observe(t), want)
	for i, err := range m.Apply(ops) {
		if err != nil {
			t.Fatalf("%s: %v", ops[i], err)
		}
	}
	if have := m.observe(t); have.String() != want.String() {
		t.Fatalf("observed otherwise than wanted:\n%s", cmp.Diff(want.String(), have.String()))
	}
	return ops
}

const whole = `
table weft
set weft except4 type ipv4_addr interval
set weft except6 type ipv6_addr interval
set weft peers4 type ipv4_addr
set weft peers6 type ipv6_addr
element weft except4 0.0.0.0/8
element weft except4 1.2.3.4
element weft except4 10.4.8.0/24
element weft except4 10.4.9.0/24
element weft except4 192.168.128.0/17
element weft except4 255.255.255.0/24
element weft except6 fd00::/64
element weft except6 fd11::1
element weft except6 fff0::/12
element weft peers4 10.4.7.22
element weft peers4 10.4.7.23
element weft peers4 10.4.8.24
element weft peers6 fd00:4:7::22
element weft peers6 fd00:4:7::23
chain weft guard type filter hook input priority -10 policy accept
chain weft postrouting type nat hook postrouting priority 99 policy accept
chain weft refused type filter hook prerouting priority -10 policy accept
rule weft guard 0 ip saddr != @peers4 udp dport 8472 @th,96,24 0x1 counter drop
rule weft guard 1 ip6 saddr != @peers6 udp dport 8472 @th,96,24 0x10203 counter drop
rule weft postrouting 0 meta mark & 0x00004000 == 0x00004000 return
rule weft postrouting 1 ip saddr 10.5.0.0/16 ip daddr 10.5.0.0/16 snat ip to ip saddr
rule weft postrouting 2 ip saddr 10.5.0.0/16 ip daddr @except4 snat ip to ip saddr
rule weft postrouting 3 ip saddr 10.5.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random
rule weft postrouting 4 ip saddr != 10.5.0.0/19 ip daddr 10.5.7.9 masquerade
rule weft postrouting 5 ip6 saddr fd05::/48 ip6 daddr fd05::/48 snat ip6 to ip6 saddr
rule weft postrouting 6 ip6 saddr fd05::/49 ip6 daddr != ff00::/8 masquerade fully-random
rule weft postrouting 7 ip6 saddr fd05::1 ip6 daddr != @except6 return comment "word"
rule weft postrouting 8 ip6 saddr fd05::/48 ip6 daddr fd05::/48 ct status dnat return
rule weft postrouting 9 ct status dnat udp dport 53 counter accept
rule weft postrouting 10 ip saddr 10.5.0.0/16 ip daddr 10.5.0.0/16 ct original ip daddr != 10.5.0.0/16 return
rule weft postrouting 11 ip6 saddr fd05::/48 ip6 daddr fd05::/48 ct original ip6 daddr != fd05::/48 return
rule weft postrouting 12 ip saddr 10.5.0.0/17 ct status dnat ct original ip daddr 10.5.0.1 return
rule weft refused 0 ip daddr 172.7.0.0/16 fib daddr oif 0 counter accept
rule weft refused 1 ip6 daddr fd00::/48 fib daddr oif 0 udp dport 53 counter accept
`

func TestRealProgramPrintsTheTableAlike(t *testing.T) {
	m := newMachine(t)
	want := parse(t, whole)
	m.settle(t, want)
	if got := m.shell(t, "nft list table inet weft"); got != want.Firewall.ListTable("weft") {
		t.Errorf("nft prints the table otherwise:\n%s", cmp.Diff(want.Firewall.ListTable("weft"), got))
	}
	m.settle(t, &netstate.State{})
	if got := m.shell(t, "nft list ruleset"); got != "" {
		t.Errorf("left behind:\n%s", got)
	}
}

func TestRealProgramWritesTheTableAlike(t *testing.T) {
	m := newMachine(t)
	want := parse(t, whole)
	m.shell(t, "nft -f - <<'E'\n"+want.Firewall.ListTable("weft")+"E")
	if have := m.observe(t).String(); have != want.String() {
		t.Errorf("read otherwise than nft wrote it:\n%s", cmp.Diff(want.String(), have))
	}
}

func TestCountersAreRead(t *testing.T) {
	m := newMachine(t)
	m.settle(t, parse(t, whole))
	count := func(table string) uint64 {
		t.Helper()
		n, err := m.Count(t.Context(), table, "guard")
		check(t, err)
		return n
	}
	if n := count("weft"); n != 0 {
		t.Errorf("%d packets before the first", n)
	}
	m.shell(t, "nft replace rule inet weft guard handle $(nft -a list chain inet weft guard | sed -n 's/.*dport.*1 .*handle //p' | head -n 1) udp dport 8472 counter packets 7 bytes 99 drop; nft add rule inet weft guard counter packets 5 bytes 1")
	if n := count("weft"); n != 12 {
		t.Errorf("%d packets, not 12", n)
	}
	if n := count("other"); n != 0 {
		t.Errorf("%d packets in a table that is not there", n)
	}
}

func TestTamperingIsMended(t *testing.T) {
	m := newMachine(t)
	want := parse(t, whole)
	m.settle(t, want)
	for _, script := range []string{
		"nft flush table inet weft",
		"nft delete table inet weft",
		"nft flush set inet weft peers4",
		"nft add element inet weft peers4 '{ 6.6.6.6 }'",
		"nft delete element inet weft except4 '{ 10.4.8.0/24 }'",
		"nft add element inet weft except4 '{ 10.4.10.0-10.4.10.127 }'",
		"nft insert rule inet weft guard accept",
		"nft insert rule inet weft guard ct state established tcp dport 7 log accept",
		"nft add rule inet weft postrouting ip saddr 10.5.3.0/24 masquerade",
		"nft delete rule inet weft guard handle $(nft -a list chain inet weft guard | sed -n 's/.*# handle //p' | tail -n 1)",
		"nft add rule inet weft postrouting ct status snat return",
		"nft add rule inet weft postrouting ct status != dnat return",
		"nft add rule inet weft postrouting ct state new return",
		"nft add rule inet weft postrouting ct mark 1 return",
		"nft add rule inet weft postrouting ct reply ip daddr 10.5.0.0/16 return",
		"nft add rule inet weft postrouting ct original ip saddr 10.5.0.0/16 return",
		"nft add chain inet weft guard '{ policy drop; }'",
		"nft add chain inet weft other",
		"nft add set inet weft other '{ type inet_service; }'",
		"nft flush chain inet weft guard; nft delete chain inet weft guard; nft add chain inet weft guard '{ type filter hook input priority 3; }'",
		"nft flush table inet weft; nft delete set inet weft peers4; nft add set inet weft peers4 '{ type ipv6_addr; flags interval; }'",
	} {
		t.Run(script, func(t *testing.T) {
			m.shell(t, script)
			if m.settle(t, want) == nil {
				t.Error("not noticed")
			}
		})
	}
}

func TestOneNewPeerIsOneElement(t *testing.T) {
	m := newMachine(t)
	want := parse(t, whole)
	m.settle(t, want)
	want.Put(parse(t, "element weft peers4 10.4.8.25").Rows()[0])
	if ops := m.settle(t, want); len(ops) != 1 {
		t.Errorf("a new peer took %v", ops)
	}
}

func TestTableIsKnownByItsNameAndNetwork(t *testing.T) {
	m := newMachine(t)
	m.settle(t, parse(t, whole))
	m.shell(t, "nft add table inet weft.7; nft add table inet someones; nft add table ip weft")
	forgetful := scope
	forgetful.Tables = nil
	have, err := m.Observe(t.Context(), forgetful)
	check(t, err)
	if len(have.Tables) != 1 || len(have.Rules) != 17 {
		t.Errorf("without memory, found %v", have.Tables)
	}
	forgetful.Networks = []netip.Prefix{netip.MustParsePrefix("10.6.0.0/16")}
	have, err = m.Observe(t.Context(), forgetful)
	check(t, err)
	if len(have.Tables) != 0 {
		t.Errorf("an agent of another network takes %v for its own", have.Tables)
	}
}

// manyElements is whole with n members more in each of three sets.
func manyElements(t *testing.T, n int) *netstate.State {
	t.Helper()
	var text strings.Builder
	text.WriteString(whole)
	a, b := netip.MustParseAddr("10.4.0.0"), netip.MustParseAddr("fd00:4::")
	for range n {
		a, b = a.Next(), b.Next()
		fmt.Fprintf(&text, "element weft peers4 %s\nelement weft peers6 %s\nelement weft except6 %s\n", a, b, b)
	}
	return parse(t, text.String())
}

func TestTenThousandElements(t *testing.T) {
	m := newMachine(t)
	m.settle(t, manyElements(t, 10_000))
	m.settle(t, parse(t, whole))
}

// TestGrowingSets reads sets while the kernel makes room for what has come.
func TestGrowingSets(t *testing.T) {
	m := newMachine(t)
	for range 4 {
		m.settle(t, manyElements(t, 5_000))
		m.settle(t, &netstate.State{})
	}
}

// TestOneTransaction counts the transactions that it takes to put up a table
// of many messages. It is as large as an unprivileged socket takes at the
// kernel's default of net.core.wmem_max, 208 KiB of which count twice.
func TestOneTransaction(t *testing.T) {
	m := newMachine(t)
	before := m.generation(t)
	m.settle(t, manyElements(t, 2_000))
	if n := m.generation(t) - before; n != 1 {
		t.Errorf("%d transactions", n)
	}
}

// generation is the number that the kernel increments with each transaction.
func (m *machine) generation(t *testing.T) (n uint32) {
	t.Helper()
	check(t, m.Do(func() error {
		ask := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETGEN, 0)
		ask.AddData(&nl.Nfgenmsg{})
		answers, err := ask.Execute(unix.NETLINK_NETFILTER, 0)
		if err != nil {
			return err
		}
		attrs, err := nl.ParseRouteAttr(answers[0][nl.SizeofNfgenmsg:])
		for _, a := range attrs {
			if a.Attr.Type == unix.NFTA_GEN_ID {
				n = binary.BigEndian.Uint32(a.Value)
			}
		}
		return err
	}))
	return n
}

// watch returns the events of c, and what ends it.
func watch(t *testing.T, m *machine, c *nft.Conn) (events chan netstate.Event, end func()) {
	t.Helper()
	var w *nft.Watcher
	check(t, m.Do(func() (err error) {
		w, err = c.Watch()
		return err
	}))
	events = make(chan netstate.Event, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx, func(e netstate.Event) { events <- e }) }()
	return events, func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// TestMembersOfSetsAreWatched has an operator mend a chain by a member of a
// set, and a list of banned addresses grow, which does not matter.
func TestMembersOfSetsAreWatched(t *testing.T) {
	m := newMachine(t)
	var banned strings.Builder
	for i := range 300 {
		fmt.Fprintf(&banned, "203.0.%d.%d, ", i/250, i%250)
	}
	m.shell(t, `nft -f - <<'EOT'
		table inet mine {
			set trusted { type ipv4_addr; flags interval; }
			set banned { type ipv4_addr; elements = { `+banned.String()+` }; }
			chain through { type filter hook forward priority 0; policy drop; ip saddr @banned drop; ip saddr @trusted accept; }
		}
EOT`)
	stops := func() string {
		found, err := m.Barriers(t.Context())
		check(t, err)
		return found[0].Stops(inside)
	}
	if how := stops(); how != "policy drop" {
		t.Errorf("stops %q", how)
	}
	events, end := watch(t, m, m.Conn)
	m.shell(t, "nft add element inet mine banned '{ 198.51.100.1 }'; nft add element inet mine trusted '{ 10.5.0.0/16 }'")
	if e := <-events; !e.Facts {
		t.Errorf("got %v", e)
	}
	if how := stops(); how != "" || len(events) > 0 {
		t.Errorf("stops %q, %d more events", how, len(events))
	}
	end()
}

// TestSmallBuffers has a socket that takes no more than a part of the
// transaction, and none of the refusals of many messages.
func TestSmallBuffers(t *testing.T) {
	for _, size := range []int{16 << 10, 100 << 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			m := newMachine(t)
			m.SetBuffers(size)
			want := manyElements(t, 2_000)
			m.settle(t, want)
			ops := netstate.Diff(want, parse(t, whole))
			m.shell(t, "nft delete table inet weft")
			for i, err := range m.Apply(ops) {
				if err != nil {
					t.Fatalf("%s: %v", ops[i], err) // what is gone already is no error
				}
			}
		})
	}
}
