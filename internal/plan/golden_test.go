package plan

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan/firewall"
	"github.com/weft-net/weft/internal/plan/vxlan"
	"github.com/weft-net/weft/internal/plan/wireguard"
)

var update = flag.Bool("update", false, "write the goldens anew")

// Each case is written once, with IPv4 addresses, and planned for IPv4, IPv6
// and both: 172.7.22.0/24 stands for fd00:172:7:22::/64 too.
var stacks = map[string][]netconf.Family{
	"ipv4": {netconf.V4},
	"ipv6": {netconf.V6},
	"dual": {netconf.V4, netconf.V6},
}

func TestGoldens(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { golden(t, file) })
	}
}

func golden(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range archive.Files[1:] {
		fams, ok := stacks[part.Name]
		if !ok {
			t.Fatalf("section %q is not one of ipv4, ipv6 and dual", part.Name)
		}
		in := readInput(t, string(archive.Files[0].Data), fams)
		got := render(Build(in))
		leftAndCameBack(t, in)
		remedied(t, in)
		if *update {
			archive.Files[1+i].Data = []byte(got)
		} else if got != string(part.Data) {
			t.Errorf("%s:\n%s", part.Name, cmp.Diff(string(part.Data), got))
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// leftAndCameBack checks that a peer that leaves takes with it only what it
// brought, and that all is as before when it returns.
func leftAndCameBack(t *testing.T, in Input) {
	full, _ := Build(in)
	for l := range in.Peers.All() {
		without := in
		without.Peers = in.Peers.Without(l)
		less, _ := Build(without)
		have := full.Clone()
		for _, o := range slices.Concat(netstate.Diff(full, less), netstate.Diff(less, full)) {
			have.Apply(o)
		}
		if have.String() != full.String() {
			t.Errorf("peer %v left and came back:\n%s", l.Subnets, cmp.Diff(full.String(), have.String()))
		}
	}
}

// remedied checks that each problem ends with what to do about it.
func remedied(t *testing.T, in Input) {
	_, problems := Build(in)
	for _, p := range problems {
		if !remedy.MatchString(p.Err.Error()) {
			t.Errorf("%v\nhas no remedy", p)
		}
	}
}

var remedy = regexp.MustCompile(`[;:,] (add|advertise|drop|exclude|give|have|if|leave|let|load|make|name|raise|remove|restart|see|set|stop|switch|use)\b`)

func render(s *netstate.State, problems []Problem) string {
	var b strings.Builder
	b.WriteString(s.String())
	for _, p := range problems {
		kind := "problem "
		if p.Note {
			kind = "note    "
		}
		b.WriteString(kind + p.Error() + "\n")
	}
	return b.String()
}

// readInput reads the lines of a case:
//
//	network PREFIX len BITS
//	backend {JSON}
//	uplink NAME mtu BYTES addr ADDR onlink PREFIX...
//	advertised DEV
//	param NAME VALUE          a kernel parameter
//	bridge DEV ADDR [MTU]     an interface that has an address in the network
//	vrf NAME                  that the uplink belongs to
//	byflag PREFIX             a part of what is on-link
//	unreached PREFIX TABLE    by a rule with priority 7; none: by no route
//	diverts TABLE DEV         a rule with priority 7 does that; none none: it refuses
//	self|peer PREFIX public ADDR vxlan VNI MAC
//	former vxlan VNI MAC port PORT [sends]
//	self|peer PREFIX public ADDR BACKEND
//	proof PREFIX PATH VERDICT [mtu BYTES]   of a path to the peer, which probes have shown
//	checksum PREFIX PROTOCOL...   are wrong in packets to the peer if hardware is to complete them
//	self|peer PREFIX public ADDR wireguard KEY [PORT]   a key is a word
//	former-wireguard KEY
//	former-ipip
//	knows PREFIX KEY          the peer's host says that this is its key
//	drains PREFIX             a subnet that this host had before
//	past PREFIX len BITS      a network of an earlier config
//	masquerade {JSON}
//	guard JSON
//	firewall WORD...          what the host's operator said: masquerade keep-ports inbound nodes accept except=PREFIX
//	barrier FAMILY TABLE CHAIN HOOK MANAGER STOPS
//	fastpath [missing REASON]    facts about a fast path were asked for
//	pod ADDR DEV MAC MTU [shaped]
//	podbridge DEV PREFIX MTU [shaped]
//	inspector FAMILY TABLE CHAIN HOOK WHAT
//	no-firewall REASON
//	passes PREFIX             sources that the last barrier accepts ahead of that
//	when KEY VALUE...         what that requires: src dst notsrc PREFIX, proto port state N, in out NAME, family NAME
func readInput(t *testing.T, text string, fams []netconf.Family) Input {
	t.Helper()
	var in Input
	doc := map[string]any{"EnableIPv4": slices.Contains(fams, netconf.V4), "EnableIPv6": slices.Contains(fams, netconf.V6)}
	scan := bufio.NewScanner(strings.NewReader(text))
	for scan.Scan() {
		w := strings.Fields(scan.Text())
		if len(w) == 0 || strings.HasPrefix(w[0], "#") {
			continue
		}
		switch w[0] {
		case "network":
			bits, _ := strconv.Atoi(w[3])
			for _, f := range fams {
				p := prefix(f, fmt.Sprintf("%s/%d", strings.Split(w[1], "/")[0], bits))
				doc[map[netconf.Family]string{netconf.V4: "Network", netconf.V6: "IPv6Network"}[f]] = prefix(f, w[1]).String()
				doc[map[netconf.Family]string{netconf.V4: "SubnetLen", netconf.V6: "IPv6SubnetLen"}[f]] = p.Bits()
			}
		case "backend":
			doc["Backend"] = json.RawMessage(strings.Join(w[1:], " "))
		case "spare":
			in.Spare = true
		case "uplink":
			in.Host.Uplink.Name = w[1]
			in.Host.Uplink.MTU, _ = strconv.Atoi(w[3])
			for _, f := range fams {
				in.Host.Uplink.Addrs = append(in.Host.Uplink.Addrs, address(f, w[5]))
				for _, p := range w[7:] {
					in.Host.Uplink.OnLink = append(in.Host.Uplink.OnLink, prefix(f, p))
					in.Host.Uplink.Connected = in.Host.Uplink.OnLink
				}
			}
		case "attached":
			for _, f := range fams {
				in.Host.Attached = append(in.Host.Attached, host.Attached{Prefix: prefix(f, w[1]), Dev: w[3], Local: len(w) > 4})
			}
		case "masquerade":
			var m map[string]any
			if err := json.Unmarshal([]byte(strings.Join(w[1:], " ")), &m); err != nil {
				t.Fatal(err)
			}
			doc["Masquerade"] = everyFamily(m, fams)
		case "guard":
			doc["Guard"] = json.RawMessage(w[1])
		case "firewall":
			in.Firewall = readFirewall(t, w[1:], fams)
		case "barrier":
			in.Host.Barriers = append(in.Host.Barriers, host.Barrier{
				Via: "nft", Family: w[1], Table: w[2], Chain: w[3], Hook: w[4],
				Manager: strings.Trim(w[5], "-"), Rules: []host.Rule{{Stops: strings.Join(w[6:], " ")}},
			})
		case "fastpath":
			in.Host.FastPath.Asked, in.Host.FastPath.Code = true, "0123456789abcdef"
			in.Host.FastPath.Missing = strings.TrimPrefix(strings.Join(w[1:], " "), "missing ")
		case "pod":
			mac, err := netstate.ParseMAC(w[3])
			if err != nil {
				t.Fatal(err)
			}
			mtu, _ := strconv.Atoi(w[4])
			for _, f := range fams {
				in.Host.FastPath.Pods = append(in.Host.FastPath.Pods, host.Pod{
					Addr: address(f, w[1]), Dev: w[2], MAC: mac, Via: netstate.MAC{2, 255}, MTU: mtu, Shaped: slices.Contains(w, "shaped"),
				})
			}
		case "podbridge":
			mtu, _ := strconv.Atoi(w[3])
			b := host.PodBridge{Dev: w[1], MTU: mtu, Shaped: slices.Contains(w, "shaped")}
			for _, f := range fams {
				b.Subnets = append(b.Subnets, prefix(f, w[2]))
			}
			in.Host.FastPath.Bridges = append(in.Host.FastPath.Bridges, b)
		case "inspector":
			in.Host.FastPath.Inspectors = append(in.Host.FastPath.Inspectors, host.Barrier{
				Via: "nft", Family: w[1], Table: w[2], Chain: w[3], Hook: w[4], Rules: []host.Rule{{Stops: strings.Join(w[5:], " ")}},
			})
		case "no-firewall":
			in.Host.NoFirewall = strings.Join(w[1:], " ")
		case "passes":
			b := &in.Host.Barriers[len(in.Host.Barriers)-1]
			for _, f := range fams {
				accepts := host.Rule{When: host.Match{Src: host.Addrs{In: []netip.Prefix{prefix(f, w[1])}}}}
				b.Rules = slices.Insert(b.Rules, 0, accepts)
			}
		case "when":
			b := &in.Host.Barriers[len(in.Host.Barriers)-1]
			rule := &b.Rules[len(b.Rules)-1]
			rule.When = rule.When.And(readMatch(t, w[1:], fams))
		case "advertised":
			in.Host.Adverts = append(in.Host.Adverts, w[1])
		case "param":
			if in.Host.Params == nil {
				in.Host.Params = host.Params{}
			}
			in.Host.Params[w[1]] = strings.Join(w[2:], " ")
		case "bridge":
			b := host.Bridge{Name: w[1]}
			if len(w) > 3 {
				b.MTU, _ = strconv.Atoi(w[3])
			}
			for _, f := range fams {
				b.Addrs = append(b.Addrs, address(f, w[2]))
			}
			in.Host.Bridges = append(in.Host.Bridges, b)
		case "vrf":
			in.Host.Uplink.VRF = w[1]
		case "byflag":
			for _, f := range fams {
				in.Host.Uplink.ByFlag = append(in.Host.Uplink.ByFlag, prefix(f, w[1]))
			}
		case "unreached":
			for _, f := range fams {
				u := host.Unreached{Dst: prefix(f, w[1])}
				if w[2] != "none" {
					u.Rule = policyRule(f, w[2])
				}
				in.Host.Uplink.Unreached = append(in.Host.Uplink.Unreached, u)
			}
		case "diverts":
			for _, f := range fams {
				d := host.Diversion{Rule: policyRule(f, w[1]), Network: prefix(f, "172.7.0.0/16"), Before: 7}
				if w[2] != "none" {
					d.Route = host.Route{Dst: netip.PrefixFrom(address(f, "0.0.0.0"), 0).Masked(), Dev: w[2], Table: d.Rule.Table}
				}
				in.Host.Diversions = append(in.Host.Diversions, d)
			}
		case "self":
			in.Self = readLease(w, fams)
			in.Host.Public = in.Self.Public
		case "former-ipip":
			in.Former = append(in.Former, Former{Backend: netconf.Backend{Type: IPIP}, Attrs: lease.Attrs{Backend: IPIP}})
		case "former-wireguard":
			l := readLease(slices.Concat([]string{"", "172.7.0.0/24", "", "10.0.0.1", "wireguard"}, w[1:]), fams)
			net, err := netconf.Parse([]byte(`{"Network":"172.7.0.0/16","Backend":{"Type":"wireguard"}}`))
			if err != nil {
				t.Fatal(err)
			}
			in.Former = append(in.Former, Former{Backend: net.Backend, Attrs: l.Attrs})
		case "knows":
			l := readLease([]string{"", w[1], "", "10.0.0.1", HostGW}, fams)
			h := lease.HostOf(l.Subnets)
			h.WireGuard = wgKey(w[2]).String()
			in.Hosts = in.Hosts.With(h)
		case "former":
			l := readLease(slices.Concat([]string{"", "172.7.0.0/24", "", "10.0.0.1"}, w[1:4]), fams)
			vni, _ := strconv.ParseUint(w[2], 10, 32)
			port, _ := strconv.ParseUint(w[5], 10, 16)
			in.Former = append(in.Former, Former{
				Backend: netconf.Backend{Type: VXLAN, VXLAN: netconf.VXLAN{VNI: uint32(vni), Port: uint16(port)}},
				Attrs:   l.Attrs,
				Sends:   slices.Contains(w, "sends"),
				Spare:   slices.Contains(w, "spare"),
			})
		case "drains":
			for _, f := range fams {
				in.Draining = append(in.Draining, prefix(f, w[1]))
			}
		case "past":
			for _, f := range fams {
				length := prefix(f, fmt.Sprintf("%s/%s", strings.Split(w[1], "/")[0], w[3])).Bits()
				in.Previous = append(in.Previous, netconf.Previous{Network: prefix(f, w[1]), SubnetLen: length})
			}
		case "proof":
			for _, f := range fams {
				in.Proofs = in.Proofs.With(readProof(w[1:], f, fams))
			}
		case "checksum":
			for _, f := range fams {
				in.Checksums = append(in.Checksums, Checksum{
					Family: f, Peer: prefix(f, w[1]), UDP: slices.Contains(w, "udp"), TCP: slices.Contains(w, "tcp"), Sender: Sender{Uplink: "eth0"},
				})
			}
		case "peer":
			in.Peers = in.Peers.With(readLease(w, fams))
		default:
			t.Fatalf("what is %q?", scan.Text())
		}
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if in.Net, err = netconf.Parse(raw); err != nil {
		t.Fatal(err)
	}
	return in
}

// readProof reads PREFIX PATH VERDICT [mtu BYTES].
func readProof(w []string, f netconf.Family, fams []netconf.Family) Proof {
	p := Proof{Family: f, Kind: Kind(w[1]), Verdict: map[string]Verdict{"passes": Passes, "lost": Lost}[w[2]]}
	for _, one := range fams {
		p.Subnets = append(p.Subnets, prefix(one, w[0]))
	}
	if len(w) > 4 {
		p.MTU, _ = strconv.Atoi(w[4])
	}
	return p
}

// policyRule leads to a table, or nowhere.
func policyRule(f netconf.Family, table string) host.PolicyRule {
	r := host.PolicyRule{Family: f, Priority: 7, Suppress: -1}
	n, err := strconv.ParseUint(table, 10, 32)
	if r.Table = uint32(n); err != nil {
		r.Action = host.Refuse
	}
	return r
}

// readMatch reads pairs of a key and a value.
func readMatch(t *testing.T, w []string, fams []netconf.Family) (m host.Match) {
	t.Helper()
	for ; len(w) > 1; w = w[2:] {
		n, _ := strconv.ParseUint(w[1], 10, 16)
		var list []netip.Prefix
		for _, f := range fams {
			if strings.Contains(w[1], "/") {
				list = append(list, prefix(f, w[1]))
			}
		}
		switch w[0] {
		case "family":
			m.Family = w[1]
		case "src":
			m.Src.In = list
		case "notsrc":
			m.Src.Not = list
		case "dst":
			m.Dst.In = list
		case "proto":
			m.Protos = []uint8{uint8(n)}
		case "port":
			m.Ports = []host.PortRange{{First: uint16(n), Last: uint16(n)}}
		case "state":
			m.States = host.State(n)
		case "unrouted":
			m.Unrouted = true
		case "in":
			m.In = []string{w[1]}
		case "out":
			m.Out = []string{w[1]}
		default:
			t.Fatalf("what is %q?", w[0])
		}
	}
	return m
}

// everyFamily gives a Masquerade object its destinations in all families.
func everyFamily(m map[string]any, fams []netconf.Family) map[string]any {
	list, _ := m["Except"].([]any)
	var out []string
	for _, e := range list {
		s, _ := e.(string)
		if s == netconf.NodesName {
			out = append(out, s)
			continue
		}
		for _, f := range fams {
			out = append(out, prefix(f, s).String())
		}
	}
	m["Except"] = out
	return m
}

func readFirewall(t *testing.T, words []string, fams []netconf.Family) (o firewall.Options) {
	t.Helper()
	for _, word := range words {
		flag, value, _ := strings.Cut(word, "=")
		switch flag {
		case "masquerade":
			o.Masquerade = true
		case "keep-ports":
			o.KeepPorts = true
		case "inbound":
			o.Inbound = true
		case "nodes":
			o.Nodes = true
		case "blackhole":
			o.Blackhole = true
		case "accept":
			o.Accept = true
		case "except":
			for _, f := range fams {
				o.Except = append(o.Except, prefix(f, value))
			}
		default:
			t.Fatalf("what is %q?", word)
		}
	}
	return o
}

func readLease(w []string, fams []netconf.Family) lease.Lease {
	l := lease.Lease{Attrs: lease.Attrs{Backend: strings.Trim(w[4], "-"), Data: lease.Data{}}}
	for _, f := range fams {
		l.Subnets = append(l.Subnets, prefix(f, w[1]))
		l.Public = append(l.Public, address(f, w[3]))
		if len(w) > 5 && w[4] == WireGuard && w[5][0] != '{' {
			d := wireguard.Data{Key: wgKey(w[5]), Port: map[netconf.Family]uint16{netconf.V4: 51820, netconf.V6: 51821}[f]}
			if len(w) > 6 {
				port, _ := strconv.ParseUint(w[6], 10, 16)
				d.Port = uint16(port)
			}
			l.Data = l.Data.With(f, d.Marshal())
		} else if len(w) > 6 {
			vni, _ := strconv.ParseUint(w[5], 10, 32)
			mac, _ := netstate.ParseMAC(w[6])
			l.Data = l.Data.With(f, vxlan.Data{VNI: uint32(vni), MAC: mac}.Marshal())
		} else if len(w) > 5 {
			l.Data = l.Data.With(f, json.RawMessage(w[5]))
		}
	}
	return l
}

// wgKey is the public key of the host that a word names.
func wgKey(word string) (k netstate.WGKey) {
	copy(k[:], strings.Repeat(word, len(k)))
	return k
}

var octets = regexp.MustCompile(`^(\d+)\.(\d+)\.(\d+)\.(\d+)$`)

// address reads an IPv4 address, or the IPv6 address that stands for it.
func address(f netconf.Family, s string) netip.Addr {
	if f == netconf.V6 {
		s = octets.ReplaceAllString(s, "fd00:$1:$2:$3::$4")
	}
	return netip.MustParseAddr(s)
}

// prefix does so for a prefix; each octet of its length is a group in IPv6.
func prefix(f netconf.Family, s string) netip.Prefix {
	addr, length, _ := strings.Cut(s, "/")
	bits, _ := strconv.Atoi(length)
	switch {
	case f == netconf.V6 && bits == 32:
		bits = 128
	case f == netconf.V6:
		bits = 16 + 2*bits
	}
	return netip.PrefixFrom(address(f, addr), bits).Masked()
}
