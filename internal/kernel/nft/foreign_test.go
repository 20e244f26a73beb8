package nft_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netstate"
)

// distribution is a firewall as a distribution, or Docker, sets it up.
const distribution = `
iptables -P FORWARD DROP
iptables -N DOCKER-USER
iptables -A FORWARD -j DOCKER-USER
iptables -A DOCKER-USER -j RETURN
iptables -A INPUT -i lo -j ACCEPT
iptables -A INPUT -j REJECT --reject-with icmp-host-prohibited
iptables -A FORWARD -j REJECT --reject-with icmp-host-prohibited
iptables -t nat -A POSTROUTING -s 10.5.1.0/24 ! -o docker0 -j MASQUERADE
ip6tables -N OTHER
ip6tables -A FORWARD -m conntrack --ctstate INVALID -j OTHER
ip6tables -A OTHER -j DROP
ip6tables -A INPUT -s fe80::/10 -j ACCEPT
`

const hookRules = `
hook nft ip filter FORWARD head ip daddr 10.5.0.0/16 counter accept comment "weft"
hook nft ip filter FORWARD head ip saddr 10.5.0.0/16 counter accept comment "weft"
hook nft ip filter INPUT head udp dport 8472 counter accept comment "weft"
hook nft ip6 filter FORWARD head ip6 daddr fd05::/48 counter accept comment "weft"
hook nft ip6 filter FORWARD head ip6 saddr fd05::/48 counter accept comment "weft"
`

func TestRulesStandAtTheHeadOfIPTables(t *testing.T) {
	m := newMachine(t)
	m.shell(t, distribution)
	before := m.shell(t, "nft list ruleset; iptables-save -c; ip6tables-save")
	want := parse(t, whole+hookRules)
	m.settle(t, want)
	for tool, rules := range map[string][]string{
		"iptables": {
			"-A FORWARD -s 10.5.0.0/16 -m comment --comment weft -j ACCEPT",
			"-A FORWARD -d 10.5.0.0/16 -m comment --comment weft -j ACCEPT",
			"-A INPUT -p udp -m udp --dport 8472 -m comment --comment weft -j ACCEPT",
		},
		"ip6tables": {
			"-A FORWARD -s fd05::/48 -m comment --comment weft -j ACCEPT",
			"-A FORWARD -d fd05::/48 -m comment --comment weft -j ACCEPT",
		},
	} {
		saved := strings.Split(m.shell(t, tool+"-save -t filter"), "\n")
		for _, r := range rules {
			chain := strings.Fields(r)[1]
			first := slices.IndexFunc(saved, func(l string) bool { return strings.HasPrefix(l, "-A "+chain+" ") })
			if at := slices.Index(saved, r); at < first || at > first+1 {
				t.Errorf("%s shows %q not at the head of its chain:\n%s", tool, r, strings.Join(saved, "\n"))
			}
		}
	}
	m.settle(t, &netstate.State{})
	after := m.shell(t, "nft list ruleset; iptables-save -c; ip6tables-save")
	if diff := cmp.Diff(withoutTimes(before), withoutTimes(after)); diff != "" {
		t.Errorf("the firewall is not as it was before:\n%s", diff)
	}
}

// withoutTimes drops the comments of iptables-save, which hold the time.
func withoutTimes(text string) string {
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(l string) bool { return strings.HasPrefix(l, "#") })
	return strings.Join(lines, "\n")
}

func TestRulesReturnToTheHead(t *testing.T) {
	m := newMachine(t)
	m.shell(t, distribution)
	want := parse(t, whole+hookRules)
	m.settle(t, want)
	for _, script := range []string{
		"iptables -F FORWARD",
		"iptables -F",
		"iptables -I FORWARD -j DROP",
		"iptables -I FORWARD 2 -j DROP",
		"ip6tables -D FORWARD -s fd05::/48 -m comment --comment weft -j ACCEPT",
		"iptables-save > " + m.dir + "/saved; iptables-restore < " + m.dir + "/saved",
		"iptables -A FORWARD -s 10.5.0.0/16 -m comment --comment weft -j DROP",
	} {
		t.Run(script, func(t *testing.T) {
			m.shell(t, script)
			m.settle(t, want)
			if ops := m.settle(t, want); len(ops) > 0 {
				t.Errorf("does not settle: %v", ops)
			}
		})
	}
}

// Programs that save iptables' rules and restore them, as kube-router and iptables-persistent do, write weft's in their
// own form. They are weft's all the same: none is added to them, and they are removed with the rest.
func TestRestoredRulesAreWefts(t *testing.T) {
	m := newMachine(t)
	m.shell(t, distribution)
	before := m.shell(t, "iptables -S; ip6tables -S")
	want := parse(t, whole+hookRules)
	m.settle(t, want)
	present := m.shell(t, "iptables -S; ip6tables -S")
	for range 2 {
		m.shell(t, "for tool in iptables ip6tables; do $tool-save -t filter >"+m.dir+"/saved; $tool-restore -T filter <"+m.dir+"/saved; done")
		m.settle(t, want)
		if diff := cmp.Diff(present, m.shell(t, "iptables -S; ip6tables -S")); diff != "" {
			t.Errorf("after rules were restored as they were:\n%s", diff)
		}
	}
	m.settle(t, &netstate.State{})
	if diff := cmp.Diff(before, m.shell(t, "iptables -S; ip6tables -S")); diff != "" {
		t.Errorf("the firewall is not as it was before weft:\n%s", diff)
	}
}

func TestRulesStandBehindKubernetes(t *testing.T) {
	m := newMachine(t)
	m.shell(t, distribution+"iptables -N cali-FORWARD; iptables -I FORWARD 2 -j cali-FORWARD; iptables -N KUBE-SERVICES")
	want := parse(t, whole+hookRules)
	m.settle(t, want)
	order := func(policies string) {
		t.Helper()
		if ops := m.settle(t, want); len(ops) > 0 {
			t.Errorf("does not settle: %v", ops)
		}
		var got []string
		for line := range strings.Lines(m.shell(t, "iptables -S FORWARD")) {
			words := strings.Fields(line)
			got = append(got, words[len(words)-1])
		}
		if all := strings.Join(got, " "); !strings.Contains(all, policies+" ACCEPT ACCEPT") {
			t.Errorf("our rules do not follow %s: %s", policies, all)
		}
	}
	order("DOCKER-USER cali-FORWARD")
	m.shell(t, "iptables -A FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES")
	m.settle(t, want)
	order("KUBE-SERVICES")
	m.shell(t, "iptables -D FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES; iptables -D FORWARD -j cali-FORWARD; iptables -I FORWARD -j cali-FORWARD")
	m.settle(t, want)
	order("cali-FORWARD")
}

func TestBarriersAreFound(t *testing.T) {
	m := newMachine(t)
	m.shell(t, distribution+`
iptables -t mangle -A FORWARD -j MARK --set-mark 1
nft -f - <<'EOF'
table inet firewalld {
	chain filter_FORWARD { type filter hook forward priority filter + 10; policy accept; ct state established accept; reject with icmpx type admin-prohibited; }
	chain filter_INPUT { type filter hook input priority filter + 10; policy accept; }
}
table inet mine {
	chain through { type filter hook forward priority 0; policy drop; ip saddr 10.0.0.0/8 accept; udp dport 53 accept; }
	chain aux { drop; }
}
table bridge mine { chain through { type filter hook forward priority 0; policy drop; }; }
table ip kube-proxy { chain filter-forward { type filter hook forward priority 0; policy drop; }; }
table inet weft { chain through { type filter hook forward priority 0; policy drop; }; }
EOF`)
	got, err := m.Barriers(t.Context())
	check(t, err)
	var lines []string
	for _, b := range got {
		lines = append(lines, strings.Join([]string{b.String(), b.Hook, b.Manager, stopsOf(b)}, "; "))
	}
	want := []string{
		"nftables chain inet firewalld filter_FORWARD; forward; firewalld; reject in chain filter_FORWARD",
		"nftables chain inet mine through; forward; ; policy drop",
		"iptables -t filter chain FORWARD; forward; iptables; reject in chain FORWARD",
		"iptables -t filter chain INPUT; input; iptables; reject in chain INPUT",
		"ip6tables -t filter chain FORWARD; forward; iptables; drop in chain OTHER",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("other barriers:\n%s", diff)
	}
	i := slices.IndexFunc(got, func(b host.Barrier) bool { return b.Table == "mine" })
	rules := []host.Rule{
		{When: host.Match{Family: "ip", Src: host.Addrs{In: prefixes("10.0.0.0/8")}}},
		{When: host.Match{Protos: []uint8{17}, Ports: []host.PortRange{{First: 53, Last: 53}}}},
		{Stops: "policy drop"},
	}
	if diff := cmp.Diff(rules, got[i].Rules, comparePrefixes); diff != "" {
		t.Errorf("an operator's own chain has other rules:\n%s", diff)
	}
}

const flanneld = `
iptables -t nat -N FLANNEL-POSTRTG
iptables -t nat -A POSTROUTING -m comment --comment 'flanneld masq' -j FLANNEL-POSTRTG
iptables -t nat -A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment 'flanneld masq' -j RETURN
iptables -t nat -A FLANNEL-POSTRTG -s NET/24 -d NET/16 -m comment --comment 'flanneld masq' -j RETURN
iptables -t nat -A FLANNEL-POSTRTG -s NET/16 ! -d 224.0.0.0/4 -m comment --comment 'flanneld masq' -j MASQUERADE --random-fully
iptables -N FLANNEL-FWD
iptables -A FORWARD -m comment --comment 'flanneld forward' -j FLANNEL-FWD
iptables -A FLANNEL-FWD -s NET/16 -m comment --comment 'flanneld forward' -j ACCEPT
nft -f - <<'EOF'
table ip flannel-ipv4 { chain postrtg { type nat hook postrouting priority srcnat; meta mark 0x4000 return; ip saddr NET/16 ip daddr != 224.0.0.0/4 masquerade fully-random; }; }
table ip6 flannel-ipv6 { chain forward { type filter hook forward priority 0; }; }
EOF
`

func TestLeftoversOfFlanneldGo(t *testing.T) {
	m := newMachine(t)
	m.shell(t, distribution)
	before := m.shell(t, "nft list ruleset")
	m.shell(t, strings.ReplaceAll(flanneld, "NET", "10.5.0.0"))
	have := m.observe(t)
	if n := have.Firewall.Leftovers.Len(); n != 4 {
		t.Errorf("%d leftovers are seen:\n%s", n, have)
	}
	ops := netstate.Diff(have, parse(t, whole))
	if last := ops[len(ops)-1].String(); !strings.HasPrefix(last, "- leftover") {
		t.Errorf("leftovers do not go last, but %s", last)
	}
	m.settle(t, parse(t, whole))
	m.settle(t, &netstate.State{})
	if after := m.shell(t, "nft list ruleset"); after != before {
		t.Errorf("not as before flanneld came:\n%s", cmp.Diff(before, after))
	}
}

func TestLeftoversOfAnotherNetworkStay(t *testing.T) {
	m := newMachine(t)
	m.shell(t, strings.ReplaceAll(flanneld, "NET", "10.77.0.0"))
	for _, l := range m.observe(t).Firewall.Leftovers.Slice() {
		if l.Table != "flannel-ipv6" { // which is empty
			t.Errorf("would be removed: %s", l)
		}
	}
}

func TestRefusedRowsDoNotHinderOthers(t *testing.T) {
	m := newMachine(t)
	want := parse(t, whole+hookRules) // there is no iptables here
	ops := netstate.Diff(m.observe(t), want)
	for i, err := range m.Apply(ops) {
		_, foreign := ops[i].Row.(netstate.HookRule)
		if foreign != (err != nil) {
			t.Errorf("%s: %v", ops[i], err)
		}
	}
	if have := m.observe(t); have.String() != parse(t, whole).String() {
		t.Errorf("the rest is not in place:\n%s", have)
	}
}

// stopsOf returns how a chain stops packets first.
func stopsOf(b host.Barrier) string {
	for _, r := range b.Rules {
		if r.Stops != "" {
			return r.Stops
		}
	}
	return ""
}

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

var comparePrefixes = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
