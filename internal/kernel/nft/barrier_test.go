package nft_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-net/weft/internal/host"
)

// The packets of a network: between its containers, and in its tunnel.
var (
	inside = host.Traffic{Family: "ip", Src: prefixes("10.5.0.0/16"), Dst: prefixes("10.5.0.0/16"), Never: []string{"eth0"}}
	tunnel = host.Traffic{
		Family: "ip", Src: prefixes("192.168.7.0/24"), Dst: prefixes("192.168.7.21/32"), OpenSrc: true, UDPPort: 8472, In: "eth0",
	}
	sent = host.Traffic{Family: "ip", Src: prefixes("192.168.7.21/32"), UDPPort: 8472, Out: "eth0"}
)

// rulesets are firewalls as their programs write them, and how packets of the
// network are stopped by them.
var rulesets = []struct {
	name, script string
	want         []string
}{
	{"fail2ban by nftables", `nft -f - <<'EOT'
		table inet f2b-table {
			set addr-set-sshd { type ipv4_addr; elements = { 203.0.113.9, 192.168.7.22 }; }
			set addr6-set-sshd { type ipv6_addr; }
			chain f2b-chain {
				type filter hook input priority filter - 1; policy accept;
				tcp dport { 22 } ip saddr @addr-set-sshd reject
				meta l4proto tcp tcp dport { 80, 443 } ip saddr @addr-set-sshd reject with icmp port-unreachable
				tcp dport 22 ip6 saddr @addr6-set-sshd reject
			}
		}
EOT`, nil},
	{"fail2ban by iptables", `
		iptables -N f2b-sshd
		iptables -A f2b-sshd -j RETURN
		iptables -I INPUT -p tcp -m multiport --dports 22,2200:2222 -j f2b-sshd
		iptables -I f2b-sshd 1 -s 192.168.7.22 -j REJECT --reject-with icmp-port-unreachable`, nil},
	{"fail2ban for all ports of single hosts", `
		iptables -N f2b-recidive
		iptables -I INPUT -j f2b-recidive
		iptables -I f2b-recidive 1 -s 203.0.113.9 -j REJECT --reject-with icmp-port-unreachable
		iptables -I f2b-recidive 1 -s 203.0.113.10 -j REJECT --reject-with icmp-port-unreachable`, nil},
	{"a banned neighbour", `iptables -A INPUT -s 192.168.7.22 -j DROP`, []string{"INPUT: drop in chain INPUT"}},
	{"crowdsec", `nft -f - <<'EOT'
		table ip crowdsec {
			set crowdsec-blacklists { type ipv4_addr; flags timeout; elements = { 203.0.113.9 timeout 4h, 198.51.100.7 timeout 1h }; }
			chain crowdsec-chain-input { type filter hook input priority filter - 10; policy accept; ip saddr @crowdsec-blacklists counter drop; }
			chain crowdsec-chain-forward { type filter hook forward priority filter - 10; policy accept; ip saddr @crowdsec-blacklists counter drop; }
		}
		table ip6 crowdsec6 {
			set crowdsec6-blacklists { type ipv6_addr; flags timeout; }
			chain crowdsec6-chain-input { type filter hook input priority filter - 10; policy accept; ip6 saddr @crowdsec6-blacklists counter drop; }
		}
EOT`, nil},
	{"a list that holds the network", `nft -f - <<'EOT'
		table ip lists {
			set bogons { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 203.0.113.5-203.0.113.9 }; }
			chain through { type filter hook forward priority 0; ip saddr @bogons drop; }
		}
EOT`, []string{"through: drop in chain through"}},
	{"a list of ranges elsewhere", `nft -f - <<'EOT'
		table ip lists {
			set bogons { type ipv4_addr; flags interval; elements = { 10.6.0.0-10.255.255.255, 0.0.0.0/8, 224.0.0.0-255.255.255.255 }; }
			chain through { type filter hook forward priority 0; ip saddr @bogons drop; ip daddr { 10.4.0.0/16, 172.16.0.0/12 } drop; }
		}
EOT`, nil},
	{"invalid connections", `
		iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP
		iptables -A INPUT -m state --state INVALID -j DROP
		nft add table inet mine
		nft add chain inet mine through '{ type filter hook forward priority 0; }'
		nft add rule inet mine through ct state invalid drop
		nft add rule inet mine through ct state vmap '{ established : accept, related : accept, invalid : drop }'`, nil},
	{"new connections", `
		nft add table inet mine
		nft add chain inet mine through '{ type filter hook forward priority 0; }'
		nft add rule inet mine through ct state vmap '{ established : accept, related : accept, new : drop }'
		iptables -A FORWARD -m conntrack ! --ctstate RELATED,ESTABLISHED -j DROP`,
		[]string{"through: drop in chain through", "FORWARD: drop in chain FORWARD"}},
	{"the kubelet", `
		iptables -N KUBE-FIREWALL
		iptables -A INPUT -j KUBE-FIREWALL
		iptables -A OUTPUT -j KUBE-FIREWALL
		iptables -A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP`, nil},
	{"kube-proxy", `
		iptables -N KUBE-SERVICES
		iptables -N KUBE-FORWARD
		iptables -A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
		iptables -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
		iptables -A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
		iptables -A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m comment --comment "kube-system/kube-dns:dns has no endpoints" -m udp --dport 53 -j REJECT --reject-with icmp-port-unreachable
		iptables -N KUBE-EXTERNAL-SERVICES
		iptables -A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
		iptables -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
		iptables -A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment "default/none has no endpoints" -m addrtype --dst-type LOCAL -m tcp --dport 31234 -j REJECT --reject-with icmp-port-unreachable
		iptables -A KUBE-EXTERNAL-SERVICES -d 203.0.113.7/32 -p tcp -m comment --comment "default/none has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable`, nil},
	{"a node's port that the tunnel uses", `iptables -A INPUT -p udp -m addrtype --dst-type LOCAL -m udp --dport 8472 -j REJECT`, []string{"INPUT: reject in chain INPUT"}},
	{"types of addresses that packets of the network have", `iptables -A FORWARD -m addrtype ! --dst-type LOCAL -j DROP; iptables -t mangle -A FORWARD -m addrtype --src-type UNICAST --dst-type LOCAL -j DROP`,
		[]string{"FORWARD: drop in chain FORWARD", "FORWARD: drop in chain FORWARD"}},
	{"packets for the host itself", `nft -f - <<'EOT'
		table inet mine {
			chain pre { type filter hook prerouting priority 0; fib daddr type local tcp dport 22 drop; }
			chain into { type filter hook input priority 0; policy drop; fib daddr type local accept; }
			chain out { type filter hook output priority 0; fib daddr type local drop; }
		}
EOT`, nil},
	{"a policy with sets ahead", `nft -f - <<'EOT'
		table inet mine {
			set trusted { type ipv4_addr; flags interval; elements = { 192.168.0.0/16, 10.5.0.0/16 }; }
			chain through { type filter hook forward priority 0; policy drop; ct state established,related accept; ip saddr @trusted accept; }
			chain into { type filter hook input priority 0; policy drop; iif lo accept; ct state established,related accept; tcp dport { 22, 80-88 } accept; udp dport { 53, 8400-8499 } accept; }
		}
EOT`, nil},
	{"a policy with interfaces ahead", `nft -f - <<'EOT'
		table inet mine {
			chain through { type filter hook forward priority 0; policy drop; iifname "docker0" accept; }
			chain into { type filter hook input priority 0; policy drop; iifname vmap { "lo" : accept, "eth0" : jump uplink }; }
			chain uplink { meta l4proto { tcp, udp } accept; }
		}
EOT`, nil},
	{"a policy with the wrong rules ahead", `nft -f - <<'EOT'
		table inet mine {
			chain through { type filter hook forward priority 0; policy drop; ct state established,related accept; iifname "eth1" oifname "eth0" accept; tcp dport 80 accept; meta mark 0x1 accept; icmp type echo-request accept; ip saddr 10.9.0.0/16 accept; }
			chain into { type filter hook input priority 0; policy drop; iifname "lo" accept; iifname "eth1" accept; tcp dport { 22, 8472 } accept; udp dport { 53, 67-68 } accept; }
		}
EOT`, []string{"through: policy drop", "into: policy drop"}},
	{"Docker 28", `iptables -t raw -A PREROUTING -d 10.5.21.2/32 ! -i docker0 -j DROP`, []string{"PREROUTING: drop in chain PREROUTING"}},
	{"Docker 28 on another bridge", `iptables -t raw -A PREROUTING -d 172.18.0.2/32 ! -i br-5e1d -j DROP`, nil},
	{"Docker 29 by nftables", docker29("10.5.21"), []string{
		"filter-FORWARD: drop in chain filter-forward-in__docker0", "raw-PREROUTING: drop in chain raw-PREROUTING",
	}},
	{"mangle", `iptables -t mangle -A FORWARD -s 10.5.0.0/16 -j DROP; iptables -t mangle -A PREROUTING -j MARK --set-mark 1`,
		[]string{"FORWARD: drop in chain FORWARD"}},
	{"a device's own chain", `
		ip link add name eth0 type veth peer name eth1
		nft add table netdev mine
		nft add chain netdev mine into '{ type filter hook ingress device eth0 priority 0; }'
		nft add rule netdev mine into ip saddr 203.0.113.9 drop
		nft add rule netdev mine into udp dport 8472 drop`, []string{"into: drop in chain into"}},
	{"chains of devices that the packets do not use", `
		ip link add name eth0 type veth peer name eth1
		nft add table netdev mine
		nft add chain netdev mine uplink '{ type filter hook ingress device eth0 priority 0; }'
		nft add rule netdev mine uplink ip saddr 10.0.0.0/8 drop
		nft add chain netdev mine other '{ type filter hook ingress devices = { eth1, lo } priority 0; policy drop; }'
		nft add rule netdev mine other udp dport 8472 drop`, []string{"other: drop in chain other"}},
	{"filters of reverse paths", `nft -f - <<'EOT'
		table inet firewalld {
			chain filter_PREROUTING {
				type filter hook prerouting priority filter + 10; policy accept;
				icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
				meta nfproto ipv6 fib saddr . mark . iif oif missing drop
				fib saddr . iif oif 0 drop
				fib saddr . mark oif missing drop
			}
		}
EOT
		iptables -t raw -A PREROUTING -m rpfilter --validmark --invert -j DROP
		iptables -t raw -A PREROUTING -m rpfilter --loose --invert -j DROP`, nil},
	{"another question about routes", `nft add table inet mine; nft add chain inet mine pre '{ type filter hook prerouting priority 0; }'; nft add rule inet mine pre fib daddr . iif oif missing drop; nft add rule inet mine pre fib saddr . iif oif exists drop`,
		[]string{"pre: drop in chain pre"}},
	{"a match that is not understood", `nft add table inet mine; nft add chain inet mine through '{ type filter hook forward priority 0; }'; nft add rule inet mine through fib daddr type unicast drop`,
		[]string{"through: drop in chain through"}},
	{"concatenated keys", `nft add table ip mine; nft add chain ip mine through '{ type filter hook forward priority 0; }'; nft add rule ip mine through ip saddr . ip daddr '{ 192.0.2.1 . 192.0.2.2 }' drop`,
		[]string{"through: drop in chain through"}},
	{"a map with a default", `nft add table ip mine; nft add chain ip mine through '{ type filter hook forward priority 0; }'; nft add rule ip mine through ip saddr vmap '{ 192.0.2.1 : accept, * : drop }'`,
		[]string{"through: drop in chain through"}},
}

// TestReversePathFilters tells those that stop packets that come by another
// interface than that of their return route from loose ones.
func TestReversePathFilters(t *testing.T) {
	astray := inside
	astray.Astray = true
	for script, want := range map[string]string{
		"nft add rule inet mine pre meta nfproto ipv4 fib saddr . mark . iif oif missing drop": "drop in chain pre",
		"nft add rule inet mine pre fib saddr . mark oif missing drop":                         "",
		"iptables -t raw -A PREROUTING -m rpfilter --invert -j DROP":                           "drop in chain PREROUTING",
		"iptables -t raw -A PREROUTING -m rpfilter --loose --validmark --invert -j DROP":       "",
	} {
		m := newMachine(t)
		m.shell(t, "nft add table inet mine; nft add chain inet mine pre '{ type filter hook prerouting priority 0; }'\n"+script)
		found, err := m.Barriers(t.Context())
		check(t, err)
		how := ""
		for _, b := range found {
			how += b.Stops(astray)
		}
		if how != want {
			t.Errorf("%s: packets that come astray are stopped by %q, want %q", script, how, want)
		}
	}
}

// docker29 is what Docker's nftables backend has for a container of docker0.
func docker29(subnet string) string {
	return `nft -f - <<'EOT'
		table ip docker-bridges {
			map filter-forward-in-jumps { type ifname : verdict; elements = { "docker0" : jump filter-forward-in__docker0 }; }
			map filter-forward-out-jumps { type ifname : verdict; elements = { "docker0" : jump filter-forward-out__docker0 }; }
			chain filter-forward-in__docker0 {
				ct state established,related counter accept
				iifname "docker0" counter accept comment "ICC"
				counter drop comment "UNPUBLISHED PORT DROP"
			}
			chain filter-forward-out__docker0 { ct state established,related counter accept; counter accept comment "OUTGOING"; }
			chain filter-FORWARD {
				type filter hook forward priority filter; policy accept;
				oifname vmap @filter-forward-in-jumps
				iifname vmap @filter-forward-out-jumps
			}
			chain raw-PREROUTING {
				type filter hook prerouting priority raw; policy accept;
				ip daddr ` + subnet + `.2 iifname != "docker0" counter drop comment "DROP DIRECT ACCESS"
			}
		}
EOT`
}

// TestWhatStopsTheNetwork has each ruleset on a host of its own.
func TestWhatStopsTheNetwork(t *testing.T) {
	for _, tc := range rulesets {
		t.Run(tc.name, func(t *testing.T) {
			m := newMachine(t)
			m.shell(t, tc.script)
			found, err := m.Barriers(t.Context())
			check(t, err)
			var got []string
			for _, b := range found {
				kinds := []host.Traffic{inside}
				switch b.Hook {
				case "ingress":
					kinds = append(kinds, tunnel)
				case "input":
					kinds = []host.Traffic{tunnel}
				case "output":
					kinds = append(kinds, sent)
				}
				for _, k := range kinds {
					if how := b.Stops(k); how != "" && b.Handles("ip") {
						got = append(got, b.Chain+": "+how)
					}
				}
			}
			slices.Sort(got)
			slices.Sort(tc.want)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("packets are stopped otherwise:\n%s\n%s", diff, m.shell(t, "nft list ruleset"))
			}
		})
	}
}
