package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weft-net/weft/internal/lab"
)

// The commands here stand for flanneld, which is not part of this repository: they bring a host's
// kernel, files and store into the state that flannel's formats and its behaviour from outside
// prescribe. They read the store with readers of their own, so that what weft writes is tested
// against the format and not against weft.

const flannelPrefix = "/coreos.com/network/"

// flannelConfig is what flanneld makes of the network config.
type flannelConfig struct {
	Network     string
	EnableIPv6  bool
	IPv6Network string
	Backend     struct {
		Type          string
		DirectRouting bool
		flannelWireGuard
	}
}

// flannelLease is the value of a lease. Unknown keys are as good as none.
type flannelLease struct {
	PublicIP      netip.Addr
	PublicIPv6    *netip.Addr
	BackendType   string       `json:",omitempty"`
	BackendData   *flannelData `json:",omitempty"`
	BackendV6Data *flannelData `json:",omitempty"`
	subnet        netip.Prefix
	subnet6       netip.Prefix // the zero Prefix without IPv6
}

// key is that of the lease in the store, below the prefix.
func (l flannelLease) key() string {
	key := fmt.Sprintf("subnets/%s-%d", l.subnet.Addr(), l.subnet.Bits())
	if l.subnet6.IsValid() {
		key += fmt.Sprintf("&%s-%d", l.subnet6.Addr(), l.subnet6.Bits())
	}
	return key
}

// flannelData is what a lease says of vxlan or wireguard.
type flannelData struct {
	VNI       uint32 `json:",omitempty"`
	VtepMAC   string `json:",omitempty"`
	PublicKey string `json:",omitempty"`
	Port      uint16 `json:",omitempty"`
}

// orFail is data, without which flanneld cannot do.
func (l flannelLease) orFail(ts *testscript.TestScript, data *flannelData) *flannelData {
	if data == nil {
		ts.Fatalf("flanneld cannot do without the backend data of %s", l.subnet)
	}
	return data
}

// asked runs a command on a host and returns what it printed.
func (w *world) asked(h *lab.Host, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(w.ctx, startLimit)
	defer cancel()
	return h.Run(ctx, args...)
}

// etcdctl asks the store from a host.
func (w *world) etcdctl(h *lab.Host, args ...string) (string, error) {
	return w.asked(h, append([]string{"etcdctl", "--endpoints=" + w.lab.Endpoints()}, args...)...)
}

func (w *world) flannelConfig(ts *testscript.TestScript, h *lab.Host) (c flannelConfig) {
	out, err := w.etcdctl(h, "get", "--print-value-only", flannelPrefix+"config")
	ts.Check(err)
	c.Backend.flannelWireGuard = flannelWireGuardDefaults
	ts.Check(json.Unmarshal([]byte(out), &c))
	return c
}

var flannelKey = regexp.MustCompile(`^(\d+\.\d+\.\d+\.\d+)-(\d+)(?:&([a-f\d:]+)-(\d+))?$`)

// flannelLeases reads all leases as flanneld does; one that it could not read fails the script.
func (w *world) flannelLeases(ts *testscript.TestScript, h *lab.Host) (out []flannelLease) {
	text, err := w.etcdctl(h, "get", "--prefix", flannelPrefix+"subnets/")
	ts.Check(err)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		key := flannelKey.FindStringSubmatch(strings.TrimPrefix(lines[i], flannelPrefix+"subnets/"))
		if key == nil {
			ts.Fatalf("flanneld cannot read the key %s", lines[i])
		}
		var l flannelLease
		ts.Check(json.Unmarshal([]byte(lines[i+1]), &l))
		l.subnet = netip.MustParsePrefix(key[1] + "/" + key[2])
		if key[3] != "" {
			l.subnet6 = netip.MustParsePrefix(key[3] + "/" + key[4])
		}
		out = append(out, l)
	}
	return out
}

// flannel HOST [SUBNET [SUBNET6]]: a start of flanneld --ip-masq. Without SUBNET there must be a lease that
// announces the host's address, which it takes on. A flannel.1 that fits is taken on as well; devices of
// WireGuard are made anew.
func cmdFlannel(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 3, "flannel HOST [SUBNET [SUBNET6]]")
	w := worldOf(ts)
	h := w.host(ts, args[0])
	conf := w.flannelConfig(ts, h)
	own := flannelLease{}
	if len(args) > 1 {
		own.subnet = w.freeSubnet(ts, h, args[1])
	} else {
		own = w.flannelOwn(ts, h)
	}
	if len(args) > 2 {
		own.subnet6 = netip.MustParsePrefix(args[2])
	}
	own.PublicIP, own.BackendType = h.Addrs[0].Addr(), conf.Backend.Type
	if conf.EnableIPv6 {
		public := h.Addrs[1].Addr()
		own.PublicIPv6 = &public
	}
	own.BackendData, own.BackendV6Data = nil, nil
	mtu := 1500
	switch conf.Backend.Type {
	case "vxlan":
		mtu -= 50
		own.BackendData = &flannelData{VNI: 1, VtepMAC: w.flannelDevice(ts, h, own.subnet, mtu)}
	case "wireguard":
		mtu -= 80
		w.flannelWireGuard(ts, h, conf, &own, mtu)
	}
	w.putFlannelLease(ts, h, own)
	w.flannelFirewall(ts, h, conf, own)
	env := fmt.Sprintf("FLANNEL_NETWORK=%s\nFLANNEL_SUBNET=%s/%d\n", conf.Network, own.subnet.Addr().Next(), own.subnet.Bits())
	if own.subnet6.IsValid() {
		env += fmt.Sprintf("FLANNEL_IPV6_NETWORK=%s\nFLANNEL_IPV6_SUBNET=%s/%d\n", conf.IPv6Network, own.subnet6.Addr().Next(), own.subnet6.Bits())
		ts.Setenv(variable(h.Name+"_subnet", true), own.subnet6.String())
	}
	env += fmt.Sprintf("FLANNEL_MTU=%d\nFLANNEL_IPMASQ=true\n", mtu)
	ts.Check(os.WriteFile(h.SubnetFile(), []byte(env), 0o644))
	ts.Setenv(h.Name+"_subnet", own.subnet.String())
}

// flannelFirewall writes flanneld's rules, on a host that forwards.
func (w *world) flannelFirewall(ts *testscript.TestScript, h *lab.Host, conf flannelConfig, own flannelLease) {
	_, err := w.asked(h, "sh", "-ec", flannelRules, "flanneld", conf.Network, own.subnet.String(), "iptables-nft", "224.0.0.0/4", "net.ipv4.ip_forward")
	ts.Check(err)
	if conf.EnableIPv6 {
		_, err = w.asked(h, "sh", "-ec", flannelRules, "flanneld", conf.IPv6Network, own.subnet6.String(), "ip6tables-nft", "ff00::/8", "net.ipv6.conf.all.forwarding")
		ts.Check(err)
	}
}

// freeSubnet is the subnet that a script gives a host, unless an agent that chose one at random has it: such a script must start
// flanneld first.
func (w *world) freeSubnet(ts *testscript.TestScript, h *lab.Host, text string) netip.Prefix {
	subnet := netip.MustParsePrefix(text)
	for _, l := range w.flannelLeases(ts, h) {
		if l.subnet == subnet && l.PublicIP != h.Addrs[0].Addr() {
			ts.Fatalf("the script gives %s the subnet %s, which %s has: put its command before those that start agents", h.Name, subnet, l.PublicIP)
		}
	}
	return subnet
}

// flannelOwn is the lease that announces the host's address.
func (w *world) flannelOwn(ts *testscript.TestScript, h *lab.Host) (own flannelLease) {
	for _, l := range w.flannelLeases(ts, h) {
		if l.PublicIP == h.Addrs[0].Addr() {
			return l
		}
	}
	ts.Fatalf("no lease announces %s: flanneld would take another subnet", h.Addrs[0].Addr())
	return own
}

// flannelDevice makes flannel.1, unless there is one with the same attributes, and returns its MAC.
func (w *world) flannelDevice(ts *testscript.TestScript, h *lab.Host, subnet netip.Prefix, mtu int) string {
	mac := fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", rand.IntN(256)&0xfe|2, rand.IntN(256), rand.IntN(256), rand.IntN(256), rand.IntN(256), rand.IntN(256))
	out, err := w.asked(h, "sh", "-ec", flannelDevice, "flanneld", h.Addrs[0].Addr().String(), subnet.Addr().String(), fmt.Sprint(mtu), mac)
	ts.Check(err)
	return strings.TrimSpace(out)
}

const flannelDevice = `
if ip -d link show flannel.1 2>/dev/null | grep -q "vxlan id 1 local $1 dev eth0 .*dstport 8472 nolearning"; then
	:
else
	ip link del flannel.1 2>/dev/null || :
	ip link add flannel.1 mtu "$3" address "$4" type vxlan id 1 local "$1" dev eth0 dstport 8472 nolearning
fi
ip addr replace "$2/32" dev flannel.1
ip link set flannel.1 up
ip -o link show flannel.1 | sed 's/.*ether \([0-9a-f:]*\).*/\1/'
`

// flannelRules are flanneld's in iptables of one family, on a host that forwards: for a network, a subnet, by a
// program, with the prefix of multicast and the parameter of forwarding.
const flannelRules = `
sysctl -qw "$5=1"
"$3-restore" --noflush <<END
*nat
:FLANNEL-POSTRTG - [0:0]
-F FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s $2 -d $1 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s $1 -d $2 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG ! -s $1 -d $2 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s $1 ! -d $4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s $1 -d $1 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
COMMIT
*filter
:FLANNEL-FWD - [0:0]
-F FLANNEL-FWD
-A FLANNEL-FWD -s $1 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d $1 -m comment --comment "flanneld forward" -j ACCEPT
COMMIT
END
"$3" -t nat -A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
"$3" -A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
`

var grantedLease = regexp.MustCompile(`^lease ([0-9a-f]+) granted`)

// putFlannelLease writes a lease for a day, under a new grant each time.
func (w *world) putFlannelLease(ts *testscript.TestScript, h *lab.Host, l flannelLease) {
	value, err := json.Marshal(l)
	ts.Check(err)
	out, err := w.etcdctl(h, "lease", "grant", "86400")
	ts.Check(err)
	grant := grantedLease.FindStringSubmatch(out)
	if grant == nil {
		ts.Fatalf("etcdctl lease grant printed %s", out)
	}
	_, err = w.etcdctl(h, "put", "--lease="+grant[1], flannelPrefix+l.key(), string(value))
	ts.Check(err)
}

// flannel-sync HOST...: writes flanneld's objects for the leases in the store.
func cmdFlannelSync(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, unlimited, "flannel-sync HOST...")
	w := worldOf(ts)
	for _, name := range args {
		h := w.host(ts, name)
		conf := w.flannelConfig(ts, h)
		for _, l := range w.flannelLeases(ts, h) {
			if l.PublicIP == h.Addrs[0].Addr() || l.BackendType != conf.Backend.Type {
				continue
			}
			if conf.Backend.Type == "wireguard" {
				w.flannelWireGuardPeer(ts, h, conf, l)
				continue
			}
			_, err := w.asked(h, "sh", "-ec", flannelPeer(ts, conf, h, l))
			ts.Check(err)
		}
	}
}

// flannelPeer is a script that writes the objects for one lease.
func flannelPeer(ts *testscript.TestScript, conf flannelConfig, h *lab.Host, l flannelLease) string {
	near := h.Addrs[0].Masked().Contains(l.PublicIP)
	switch {
	case conf.Backend.Type == "host-gw", conf.Backend.DirectRouting && near:
		return fmt.Sprintf("ip route replace %s via %s dev eth0", l.subnet, l.PublicIP)
	}
	return fmt.Sprintf(`ip neigh replace %[1]s lladdr %[2]s dev flannel.1 nud permanent
		bridge fdb replace %[2]s dev flannel.1 dst %[3]s self permanent
		ip route replace %[4]s via %[1]s dev flannel.1 onlink`,
		l.subnet.Addr(), l.orFail(ts, l.BackendData).VtepMAC, l.PublicIP, l.subnet)
}

// agent-as-flanneld HOST [FLAG...]: weft is started under flanneld's name, with its command line.
func cmdAgentAsFlanneld(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, unlimited, "agent-as-flanneld HOST [FLAG...]")
	w := worldOf(ts)
	ctx, cancel := context.WithTimeout(w.ctx, startLimit)
	defer cancel()
	_, err := w.host(ts, args[0]).StartFlanneld(ctx, args[1:]...)
	ts.Check(err)
}

// flanneld-alone HOST [FLAG...]: the same on a host with directories of its own and no variables of weft's.
func cmdFlanneldAlone(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, unlimited, "flanneld-alone HOST [FLAG...]")
	w := worldOf(ts)
	ctx, cancel := context.WithTimeout(w.ctx, startLimit)
	defer cancel()
	_, err := w.host(ts, args[0]).StartFlanneldAlone(ctx, args[1:]...)
	ts.Check(err)
}

// host-alone HOST COMMAND [ARG...]: as host, with the directories of flanneld-alone.
func cmdHostAlone(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, false, args, 2, unlimited, "[!] host-alone HOST COMMAND [ARG...]")
	command, err := worldOf(ts).host(ts, args[0]).Alone(args[1:]...)
	ts.Check(err)
	cmdHost(ts, neg, append(args[:1:1], command...))
}
