package plan

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan/firewall"
	"github.com/weft-net/weft/internal/plan/wireguard"
	"github.com/weft-net/weft/internal/sorted"
)

// keyEnd is a peer as a WireGuard device of this host knows it. One device may carry
// both families, so a key can have two ends of one host, and more while a subnet drains.
type keyEnd struct {
	dev    string
	key    netstate.WGKey
	family netconf.Family
	*peer
}

// Compare orders by device and key. Of those who announce the same one the regular leases
// come first, and the very first is the key's holder.
func (e keyEnd) Compare(o keyEnd) int {
	if c := e.compareKey(o); c != 0 {
		return c // nearly always
	}
	return cmp.Or(
		cmp.Compare(min(e.group, 1), min(o.group, 1)),
		lease.CompareSubnets(e.Subnets, o.Subnets),
		cmp.Compare(e.family, o.family),
		e.compare(o.peer),
	)
}

func (e keyEnd) compareKey(o keyEnd) int {
	return cmp.Or(strings.Compare(e.dev, o.dev), bytes.Compare(e.key[:], o.key[:]))
}

// end returns the end that an admitted peer is; false if its key is unknown, or this
// host has no device for it.
func (b *basis) end(f netconf.Family, p *peer) (keyEnd, bool) {
	if p.key.IsZero() || b.ciphers[f] == nil {
		return keyEnd{}, false
	}
	return keyEnd{b.ciphers[f].Name(), p.key, f, p}, true
}

// receiveEncrypted adds the host's devices of encrypted tunnels.
func (b *basis) receiveEncrypted(s *netstate.Builder) {
	for _, r := range b.in.Net.Ranges {
		d, err := cipherEnd(b.in, r.Family())
		switch {
		case err == nil && d != nil:
			d.Receive(s)
			b.ciphers[r.Family()] = d
		case err != nil && b.in.Net.Backend.Type == WireGuard:
			b.problems = append(b.problems, Problem{Subject: "this host", Err: err})
		}
	}
}

// encryptedTunnels returns what of the host's encrypted tunnels firewalls must let in
// for packets of family f.
func (b *basis) encryptedTunnels(f netconf.Family) (out []firewall.Tunnel) {
	d := b.ciphers[f]
	if d == nil {
		return nil
	}
	for _, u := range wireguard.Underlay(d.Conf.Mode, f) {
		t := firewall.Tunnel{Family: u, Port: d.Port, Encrypted: true}
		if slices.ContainsFunc(b.in.Host.Uplink.Addrs, netconf.Of(u)) && !slices.Contains(b.fw.Tunnels, t) {
			out = append(out, t)
		}
	}
	return out
}

// keyEnds returns the ends of peers of family f.
func (b *basis) keyEnds(f netconf.Family, peers []*peer) (ends []keyEnd) {
	for _, p := range peers {
		if e, ok := b.end(f, p); ok {
			ends = append(ends, e)
		}
	}
	return ends
}

// sharedKey returns an error if e may not have its key, since this host or another one
// before it, the holder, has it already: one of the two would get the other's packets.
func (b *basis) sharedKey(e, holder keyEnd) error {
	switch {
	case b.ciphers[e.family].Key == e.key:
		return fmt.Errorf("announces this host's own PublicKey; %s", setUpAnew(e.Lease))
	case !slices.Equal(e.Public, holder.Public):
		return fmt.Errorf("announces the PublicKey that %s already has; %s", lease.FormatSubnets(holder.Subnets), setUpAnew(e.Lease))
	}
	return nil
}

// holderOf returns the holder of e's key among ends.
func holderOf(ends sorted.Set[keyEnd], e keyEnd) (keyEnd, bool) {
	first := keyEnd{dev: e.dev, key: e.key, peer: &peer{Lease: &lease.Lease{}}}
	for h := range ends.From(first) {
		return h, h.compareKey(e) == 0
	}
	return keyEnd{}, false
}

// sendEncrypted adds what the devices need to know of all ends.
func (b *basis) sendEncrypted(s *netstate.Builder, ends sorted.Set[keyEnd]) {
	var holder keyEnd
	for e := range ends.All() {
		if holder.peer == nil || holder.compareKey(e) != 0 {
			holder = e
			if b.sharedKey(e, holder) == nil {
				s.Peers = append(s.Peers, b.peerRow(e))
			}
		}
		if b.sharedKey(e, holder) == nil {
			s.Allowed = append(s.Allowed, b.ciphers[e.family].Allow(e.subnet, e.key))
		}
	}
}

// peerRow is the peer that the holder of a key is.
func (b *basis) peerRow(holder keyEnd) netstate.Peer {
	return b.ciphers[holder.family].Peer(holder.key, b.endpoint(holder.peer, holder.family))
}

// mayEncrypt returns an error if packets to p cannot be encrypted for it, since it may
// not have its key.
func (b *basis) mayEncrypt(ends sorted.Set[keyEnd], f netconf.Family, p *peer) error {
	e, ok := b.end(f, p)
	holder, found := holderOf(ends, e)
	if !ok || !found {
		return nil // receive has said why there is no device
	}
	return b.sharedKey(e, holder)
}
