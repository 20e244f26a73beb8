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

// isPeer reports whether r is a peer of a WireGuard device, or what one is allowed.
func isPeer(r netstate.Row) bool {
	switch r.(type) {
	case netstate.Peer, netstate.Allowed:
		return true
	}
	return false
}

// peers carries out ops on peers and what they are allowed: one change for each device.
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
	c := newPeerChange(have)
	for _, i := range which {
		switch r := ops[i].Row.(type) {
		case netstate.Peer:
			var peer wgtypes.PeerConfig
			if peer, err = a.peerConfig(r, ops[i].Verb); err == nil {
				c.put(peer)
			}
		case netstate.Allowed:
			err = c.allow(r, ops[i])
		}
		errs[i] = refused(ops[i], err)
	}
	if len(c.config.Peers)+len(c.after.Peers) == 0 {
		return nil
	}
	if err := a.writeWireGuard(l, c.config); err != nil || len(c.after.Peers) == 0 {
		return err
	}
	if c.moved {
		time.Sleep(drain)
	}
	return a.writeWireGuard(l, c.after)
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

func (a *applier) peerConfig(r netstate.Peer, verb netstate.Verb) (wgtypes.PeerConfig, error) {
	out := wgtypes.PeerConfig{PublicKey: wgtypes.Key(r.Key)}
	if verb == netstate.Remove {
		out.Remove = true
		return out, nil
	}
	psk, known := a.Kernel.wg.psk(r.PSK)
	if !known {
		return out, fmt.Errorf("the preshared key with fingerprint %s is not known; it comes with the network config", r.PSK)
	}
	keepalive := time.Duration(r.Keepalive) * time.Second
	out.PresharedKey, out.PersistentKeepaliveInterval = &psk, &keepalive
	if r.Endpoint.IsValid() {
		out.Endpoint = net.UDPAddrFromAddrPort(r.Endpoint)
	}
	return out, nil
}

// peerChange is one change of a device's peers, as it is put together.
type peerChange struct {
	allowed map[netip.Prefix]netstate.WGKey   // who is allowed what, with the change so far
	peers   map[netstate.WGKey][]netip.Prefix // what each is allowed
	config  wgtypes.Config
	new     map[netstate.WGKey]int // where in config the prefixes are of peers that are new
	moved   bool                   // a new peer takes the prefixes of another
	after   wgtypes.Config         // follows config
}

// drain is for how long a peer is kept after another has taken its prefixes: a peer that is
// removed loses the packets that it is encrypting.
const drain = 50 * time.Millisecond

// newPeerChange begins a change of a device with these settings.
func newPeerChange(have *wgtypes.Device) *peerChange {
	c := &peerChange{
		allowed: map[netip.Prefix]netstate.WGKey{}, peers: map[netstate.WGKey][]netip.Prefix{}, new: map[netstate.WGKey]int{},
	}
	for _, p := range have.Peers {
		key := netstate.WGKey(p.PublicKey)
		c.peers[key] = []netip.Prefix{}
		for _, a := range p.AllowedIPs {
			c.note(prefixOf(a), key)
		}
	}
	return c
}

// note takes a prefix from the peer that has it and gives it to the one with key.
func (c *peerChange) note(p netip.Prefix, key netstate.WGKey) {
	c.drop(p)
	c.allowed[p] = key
	c.peers[key] = append(c.peers[key], p)
}

func (c *peerChange) drop(p netip.Prefix) {
	if was, ok := c.allowed[p]; ok {
		c.peers[was] = slices.DeleteFunc(c.peers[was], func(o netip.Prefix) bool { return o == p })
		delete(c.allowed, p)
	}
}

// put adds, changes or removes a peer.
func (c *peerChange) put(p wgtypes.PeerConfig) {
	key := netstate.WGKey(p.PublicKey)
	_, known := c.peers[key]
	switch {
	case p.Remove:
		for _, prefix := range slices.Clone(c.peers[key]) {
			c.drop(prefix)
		}
		delete(c.peers, key)
		delete(c.new, key)
		c.after.Peers = append(c.after.Peers, p)
		return
	case !known:
		c.peers[key] = []netip.Prefix{}
		c.config.Peers = append(c.config.Peers, begin(&p))
		c.new[key] = len(c.config.Peers)
	}
	c.config.Peers = append(c.config.Peers, p)
}

// begin returns what makes the new peer p, and leaves in p what follows in the same change:
// prefixes, and what makes it send. In user space a peer runs only once all that was said of it at
// first is done, and drops packets until then.
func begin(p *wgtypes.PeerConfig) wgtypes.PeerConfig {
	first := *p
	first.PersistentKeepaliveInterval = nil
	p.UpdateOnly, p.PresharedKey = true, nil
	return first
}

// allow adds a prefix to what a peer is allowed, which takes it from another, or
// removes it: the kernel can only be told what remains.
func (c *peerChange) allow(r netstate.Allowed, op netstate.Op) error {
	_, known := c.peers[r.Key]
	at, isNew := c.new[r.Key]
	switch {
	case op.Verb == netstate.Remove:
		if c.allowed[r.Prefix] != r.Key {
			return nil
		}
		c.drop(r.Prefix)
		rest := wgtypes.PeerConfig{PublicKey: wgtypes.Key(r.Key), UpdateOnly: true, ReplaceAllowedIPs: true}
		for _, p := range c.peers[r.Key] {
			rest.AllowedIPs = append(rest.AllowedIPs, ipNet(p))
		}
		c.config.Peers = append(c.config.Peers, rest)
		return nil
	case !known:
		return fmt.Errorf("device %s has no peer %s", r.Dev, r.Key)
	}
	c.note(r.Prefix, r.Key)
	if !isNew {
		c.config.Peers = append(c.config.Peers, wgtypes.PeerConfig{
			PublicKey: wgtypes.Key(r.Key), UpdateOnly: true, AllowedIPs: []net.IPNet{ipNet(r.Prefix)},
		})
		return nil
	}
	// In the same change as the peer: it must not answer before it has them, or what its host
	// sends at once is dropped.
	peer := &c.config.Peers[at]
	peer.AllowedIPs = append(peer.AllowedIPs, ipNet(r.Prefix))
	if was, moved := op.Have.(netstate.Allowed); moved && was.Key != r.Key {
		c.moved = true
		c.greet(peer)
	}
	return nil
}

// greet has a handshake with a new peer begin at once. It takes the place of another, as
// when a host has got another key: packets from its host wait until this side, which
// knows the key now, begins. Turning keepalives on sends one.
func (c *peerChange) greet(p *wgtypes.PeerConfig) {
	if k := p.PersistentKeepaliveInterval; k != nil && *k != 0 || p.Endpoint == nil {
		return
	}
	on, off := time.Second, time.Duration(0)
	p.PersistentKeepaliveInterval = &on
	c.after.Peers = append(c.after.Peers, wgtypes.PeerConfig{PublicKey: p.PublicKey, UpdateOnly: true, PersistentKeepaliveInterval: &off})
}
