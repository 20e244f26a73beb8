package kernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/weft-net/weft/internal/kernel/wg"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netdump"
	"github.com/weft-net/weft/internal/netstate"
)

// wireguard takes up the WireGuard device called name if it is ours, and its peers. One
// for which nobody answers has no key and no peers, and so is repaired.
func (o *observer) wireguard(name string) error {
	l, found, err := o.devs.named(name)
	if err != nil || !found || l.Kind != netstate.KindWireGuard {
		return err
	}
	ours, err := o.takeUp(l)
	if err != nil || !ours {
		return err
	}
	o.carried.Store(name, l.userSpace)
	row := l.Link
	if o.kinds.Has(netstate.LinkKind | netstate.PeerKind) {
		d, err := o.readWireGuard(l)
		switch {
		case errors.Is(err, wg.ErrAbsent):
		case err != nil:
			return fmt.Errorf("look at device %s: %w", name, err)
		default:
			row = withKey(row, d)
			o.peers(name, d)
		}
	}
	o.state.Links = append(o.state.Links, row)
	return nil
}

// peers takes up the peers of a device.
func (o *observer) peers(device string, d *wgtypes.Device) {
	for _, p := range d.Peers {
		row := netstate.Peer{
			Dev: device, Key: netstate.WGKey(p.PublicKey),
			Keepalive: uint16(p.PersistentKeepaliveInterval / time.Second), PSK: netconf.PSK(p.PresharedKey).Fingerprint(),
		}
		row.Endpoint, row.Roams = o.ends.inForce(device, p, time.Since(p.LastHandshakeTime) < fresh)
		o.state.Peers = append(o.state.Peers, row)
		for _, a := range p.AllowedIPs {
			o.state.Allowed = append(o.state.Allowed, netstate.Allowed{Prefix: prefixOf(a), Key: row.Key, Dev: device})
		}
	}
}

// dumpWireGuard copies the settings of all WireGuard devices, without secrets. What cannot
// be read is noted in the copy.
func (k *Kernel) dumpWireGuard(to *dumper) {
	for _, l := range to.wg {
		out := netdump.WireGuard{Dev: l.Name, UserSpace: l.userSpace, Peers: []netdump.WireGuardPeer{}}
		d, err := k.readWireGuard(l)
		if err != nil {
			out.Mute = err.Error()
		} else {
			row := withKey(netstate.Link{}, d)
			out.Port, out.Key = row.Port, row.Key.String()
			for _, p := range d.Peers {
				peer := netdump.WireGuardPeer{
					Key: netstate.WGKey(p.PublicKey).String(), Endpoint: endpointOf(p.Endpoint), Allowed: []netip.Prefix{},
					Sent: p.TransmitBytes, Received: p.ReceiveBytes,
				}
				if p.LastHandshakeTime.Unix() > 0 {
					peer.Handshake = p.LastHandshakeTime.UTC()
				}
				for _, a := range p.AllowedIPs {
					peer.Allowed = append(peer.Allowed, prefixOf(a))
				}
				out.Peers = append(out.Peers, peer)
			}
		}
		to.out.Ciphers = append(to.out.Ciphers, out)
	}
}

func endpointOf(a *net.UDPAddr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}
	end := a.AddrPort()
	return netip.AddrPortFrom(end.Addr().Unmap(), end.Port())
}

func prefixOf(n net.IPNet) netip.Prefix {
	addr, _ := netip.AddrFromSlice(n.IP)
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), ones)
}

func ipNet(p netip.Prefix) net.IPNet {
	return net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// peers carries out ops on peers and what they are allowed, all of one kind: one change
// for each device.
func (a *applier) peers(ops []netstate.Op, errs []error) {
	byDevice := map[string][]int{}
	for i, op := range ops {
		byDevice[peerDevice(op.Row)] = append(byDevice[peerDevice(op.Row)], i)
	}
	for device, which := range byDevice {
		failed := a.changePeers(device, ops, which, errs)
		for _, i := range which {
			if errs[i] == nil {
				errs[i] = refused(ops[i], failed)
			}
		}
	}
}

func peerDevice(r netstate.Row) string {
	if p, ok := r.(netstate.Peer); ok {
		return p.Dev
	}
	return r.(netstate.Allowed).Dev
}

// changePeers carries out some of ops, all on one device. It puts the errors of single ones
// into errs and returns that of the rest.
func (a *applier) changePeers(device string, ops []netstate.Op, which []int, errs []error) error {
	l, err := a.wireguardNamed(device)
	if err != nil {
		return err
	}
	have, err := a.readWireGuard(l)
	if err != nil {
		return err
	}
	var change wgtypes.Config
	for _, i := range which {
		var peer *wgtypes.PeerConfig
		switch r := ops[i].Row.(type) {
		case netstate.Peer:
			peer, errs[i] = a.peerConfig(r, ops[i].Verb)
		case netstate.Allowed:
			peer, errs[i] = allowedConfig(have, r, ops[i].Verb)
		}
		errs[i] = refused(ops[i], errs[i])
		if peer != nil {
			change.Peers = append(change.Peers, *peer)
		}
	}
	if len(change.Peers) == 0 {
		return nil
	}
	return a.writeWireGuard(l, change)
}

// wireguardNamed returns the WireGuard device called name.
func (a *applier) wireguardNamed(name string) (link, error) {
	if _, err := a.devs.index(name); err != nil {
		return link{}, err
	}
	l, _, err := a.devs.named(name)
	if err == nil && l.Kind != netstate.KindWireGuard {
		err = fmt.Errorf("device %s is of kind %q, not %s", name, l.Kind, netstate.KindWireGuard)
	}
	return l, err
}

func (a *applier) peerConfig(r netstate.Peer, verb netstate.Verb) (*wgtypes.PeerConfig, error) {
	out := &wgtypes.PeerConfig{PublicKey: wgtypes.Key(r.Key)}
	if verb == netstate.Remove {
		out.Remove = true
		return out, nil
	}
	psk, known := a.Kernel.wg.psk(r.PSK)
	if !known {
		return nil, fmt.Errorf("the preshared key with fingerprint %s is not known; it comes with the network config", r.PSK)
	}
	keepalive := time.Duration(r.Keepalive) * time.Second
	out.PresharedKey, out.PersistentKeepaliveInterval = &psk, &keepalive
	if r.Endpoint.IsValid() {
		out.Endpoint = net.UDPAddrFromAddrPort(r.Endpoint)
	}
	return out, nil
}

// allowedConfig adds a prefix to what a peer is allowed, which takes it from another,
// or removes it: the kernel can only be told what remains. have follows.
func allowedConfig(have *wgtypes.Device, r netstate.Allowed, verb netstate.Verb) (*wgtypes.PeerConfig, error) {
	i := slices.IndexFunc(have.Peers, func(p wgtypes.Peer) bool { return netstate.WGKey(p.PublicKey) == r.Key })
	if i < 0 {
		if verb == netstate.Remove {
			return nil, nil
		}
		return nil, fmt.Errorf("device %s has no peer %s", r.Dev, r.Key)
	}
	out := &wgtypes.PeerConfig{PublicKey: wgtypes.Key(r.Key), UpdateOnly: true}
	if verb != netstate.Remove {
		out.AllowedIPs = []net.IPNet{ipNet(r.Prefix)}
		return out, nil
	}
	p := &have.Peers[i]
	p.AllowedIPs = slices.DeleteFunc(slices.Clone(p.AllowedIPs), func(n net.IPNet) bool { return prefixOf(n) == r.Prefix })
	out.ReplaceAllowedIPs, out.AllowedIPs = true, p.AllowedIPs
	return out, nil
}
