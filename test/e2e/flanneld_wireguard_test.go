package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/weft-net/weft/internal/kernel/wg"
	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/wguser"
)

// flannelWireGuard are the keys of flanneld's backend wireguard.
type flannelWireGuard struct {
	ListenPort, ListenPortV6    int
	PSK, Mode                   string
	PersistentKeepaliveInterval int // seconds
}

var flannelWireGuardDefaults = flannelWireGuard{ListenPort: 51820, ListenPortV6: 51821, Mode: "separate"}

// flannelCipher is a device of flanneld's: it carries packets of some of the network's families.
type flannelCipher struct {
	name   string
	port   int
	v4, v6 bool
}

// ciphers are the devices that flanneld has by a config.
func (c flannelConfig) ciphers() (out []flannelCipher) {
	b := c.Backend
	if b.Mode != "separate" {
		return []flannelCipher{{"flannel-wg", b.ListenPort, true, c.EnableIPv6}}
	}
	out = append(out, flannelCipher{"flannel-wg", b.ListenPort, true, false})
	if c.EnableIPv6 {
		out = append(out, flannelCipher{"flannel-wg-v6", b.ListenPortV6, false, true})
	}
	return out
}

// of are those of a host's networks or subnets that the device carries.
func (d flannelCipher) of(v4, v6 netip.Prefix) (out []netip.Prefix) {
	if d.v4 {
		out = append(out, v4)
	}
	if d.v6 {
		out = append(out, v6)
	}
	return out
}

func (c flannelConfig) networks() (v4, v6 netip.Prefix) {
	v4 = netip.MustParsePrefix(c.Network)
	if c.EnableIPv6 {
		v6 = netip.MustParsePrefix(c.IPv6Network)
	}
	return v4, v6
}

// flannelWireGuard makes the devices anew, as each start of flanneld does, and has the lease say the key. In all modes
// flanneld announces ListenPortV6 with IPv6's data, though in those with one device nobody listens there.
func (w *world) flannelWireGuard(ts *testscript.TestScript, h *lab.Host, conf flannelConfig, own *flannelLease, mtu int) {
	key := flannelKey32(ts, h)
	for _, d := range conf.ciphers() {
		w.flannelRemove(ts, h, d.name)
		userSpace := w.flannelCipherDevice(ts, h, d.name)
		// The process of the device before may still have the port.
		ts.Check(w.within(startLimit, func() error {
			return writeCipher(h, d.name, userSpace, wgtypes.Config{PrivateKey: &key, ListenPort: &d.port, ReplacePeers: true})
		}))
		script := fmt.Sprintf("ip link set %s mtu %d up", d.name, mtu)
		for _, subnet := range d.of(own.subnet, own.subnet6) {
			script += fmt.Sprintf("\nip addr add %s/%d dev %s", subnet.Addr(), subnet.Addr().BitLen(), d.name)
		}
		_, err := w.asked(h, "sh", "-ec", script+flannelWide(conf, d))
		ts.Check(err)
	}
	own.BackendData = &flannelData{PublicKey: key.PublicKey().String(), Port: uint16(conf.Backend.ListenPort)}
	if conf.EnableIPv6 {
		own.BackendV6Data = &flannelData{PublicKey: key.PublicKey().String(), Port: uint16(conf.Backend.ListenPortV6)}
	}
}

// flannelWide are the commands for a device's routes to whole networks.
func flannelWide(conf flannelConfig, d flannelCipher) (script string) {
	for _, network := range d.of(conf.networks()) {
		script += fmt.Sprintf("\nip route replace %s dev %s", network, d.name)
		if network.Addr().Is4() {
			script += " scope link"
		}
	}
	return script
}

// flannelKey32 is the private key of flanneld's file, which is made if there is none.
func flannelKey32(ts *testscript.TestScript, h *lab.Host) wgtypes.Key {
	raw, err := os.ReadFile(h.WireGuardKeyFile())
	if errors.Is(err, fs.ErrNotExist) {
		key, err := wgtypes.GeneratePrivateKey()
		ts.Check(err)
		ts.Check(os.WriteFile(h.WireGuardKeyFile(), []byte(key.String()), 0o400))
		return key
	}
	ts.Check(err)
	key, err := wgtypes.ParseKey(string(raw))
	ts.Check(err)
	return key
}

// flannelCipherDevice makes a device: the kernel's, or one in user space with the control socket at
// which weft asks for it.
func (w *world) flannelCipherDevice(ts *testscript.TestScript, h *lab.Host, name string) (userSpace bool) {
	_, err := w.asked(h, "ip", "link", "add", name, "type", "wireguard")
	if err == nil {
		return false
	}
	if !strings.Contains(err.Error(), "Unknown device type") && !strings.Contains(err.Error(), "not supported") {
		ts.Fatalf("%v", err)
	}
	ts.Check(h.Do(func() error { return wguser.Start(name, cipherSocket(h, name)) }))
	return true
}

func cipherSocket(h *lab.Host, device string) string {
	return wg.Socket(filepath.Join(h.RunDir(), "wireguard"), device)
}

func writeCipher(h *lab.Host, device string, userSpace bool, change wgtypes.Config) error {
	if userSpace {
		return wg.WriteUser(cipherSocket(h, device), change)
	}
	return h.Do(func() error { return wg.Write(device, change) })
}

// flannelWireGuardPeer writes what flanneld does when a lease comes: a peer for each device, and once more the wide
// routes.
func (w *world) flannelWireGuardPeer(ts *testscript.TestScript, h *lab.Host, conf flannelConfig, l flannelLease) {
	for _, d := range conf.ciphers() {
		data := l.BackendData
		if d.v6 {
			data = l.BackendV6Data
		}
		key, err := wgtypes.ParseKey(l.orFail(ts, data).PublicKey)
		ts.Check(err)
		keepalive := time.Duration(conf.Backend.PersistentKeepaliveInterval) * time.Second
		peer := wgtypes.PeerConfig{
			PublicKey: key, PersistentKeepaliveInterval: &keepalive, ReplaceAllowedIPs: true,
			Endpoint: flannelEndpoint(ts, h, conf, d, l),
		}
		if conf.Backend.PSK != "" {
			psk, err := wgtypes.ParseKey(conf.Backend.PSK)
			ts.Check(err)
			peer.PresharedKey = &psk
		}
		for _, p := range d.of(l.subnet, l.subnet6) {
			peer.AllowedIPs = append(peer.AllowedIPs, net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())})
		}
		out, err := w.asked(h, "ip", "-d", "link", "show", d.name)
		ts.Check(err)
		ts.Check(writeCipher(h, d.name, strings.Contains(out, "tun type"), wgtypes.Config{Peers: []wgtypes.PeerConfig{peer}}))
		_, err = w.asked(h, "sh", "-ec", flannelWide(conf, d))
		ts.Check(err)
	}
}

// flannelEndpoint is where a host's device is reached, by the address that the mode and the device's families say and
// the port that comes with the data of that address's family.
func flannelEndpoint(ts *testscript.TestScript, h *lab.Host, conf flannelConfig, d flannelCipher, l flannelLease) *net.UDPAddr {
	v6 := d.v6 && !d.v4 || conf.Backend.Mode == "ipv6"
	if conf.Backend.Mode == "auto" && l.PublicIPv6 != nil && l.PublicIP.IsPrivate() {
		v6 = !l.PublicIPv6.IsPrivate() && len(h.Addrs) > 1 && !h.Addrs[1].Addr().IsPrivate()
	}
	addr, data := l.PublicIP, l.BackendData
	if v6 {
		addr, data = *l.PublicIPv6, l.BackendV6Data
	}
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, l.orFail(ts, data).Port))
}

// flannel-stop HOST: the end of flanneld, which removes devices of WireGuard and nothing else.
func cmdFlannelStop(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 1, "flannel-stop HOST")
	w := worldOf(ts)
	for _, d := range w.flannelConfig(ts, w.host(ts, args[0])).ciphers() {
		w.flannelRemove(ts, w.host(ts, args[0]), d.name)
	}
}

// flannelRemove removes a device, if it is there.
func (w *world) flannelRemove(ts *testscript.TestScript, h *lab.Host, device string) {
	_, err := w.asked(h, "sh", "-ec", `! ip link show "$1" >/dev/null 2>&1 || ip link del "$1"`, "flanneld", device)
	ts.Check(err)
}

// wireguard-show HOST DEVICE: the device's number, port and key, and its peers, as the kernel or its process has them.
func cmdWireGuardShow(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 2, "wireguard-show HOST DEVICE")
	w := worldOf(ts)
	h := w.host(ts, args[0])
	out, err := w.asked(h, "ip", "-o", "-d", "link", "show", args[1])
	ts.Check(err)
	d, err := readCipher(h, args[1], strings.Contains(out, "tun type"))
	ts.Check(err)
	number, _, _ := strings.Cut(out, ":")
	text := fmt.Sprintf("device %s port %d key %s\n", number, d.ListenPort, d.PublicKey)
	slices.SortFunc(d.Peers, func(a, b wgtypes.Peer) int { return bytes.Compare(a.PublicKey[:], b.PublicKey[:]) })
	for _, p := range d.Peers {
		text += fmt.Sprintf("peer %s endpoint %s allowed", p.PublicKey, p.Endpoint)
		for _, a := range p.AllowedIPs {
			text += " " + a.String()
		}
		text += "\n"
	}
	_, err = io.WriteString(ts.Stdout(), text)
	ts.Check(err)
}

func readCipher(h *lab.Host, device string, userSpace bool) (d *wgtypes.Device, err error) {
	if userSpace {
		return wg.ReadUser(cipherSocket(h, device))
	}
	err = h.Do(func() error {
		d, err = wg.Read(device)
		return err
	})
	return d, err
}
