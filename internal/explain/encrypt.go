package explain

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/netdump"
	"github.com/weft-net/weft/internal/netstate"
)

// fresh is how old the last handshake with a peer may be: with older keys WireGuard
// encrypts nothing (Reject-After-Time).
const fresh = 180 * time.Second

// encrypted follows the packet into a WireGuard device: the peer that may get it, its
// handshake, and the underlay.
func (t *trace) encrypted(l netdump.Link) bool {
	w, ok := t.cipher(l)
	if !ok {
		return false
	}
	p, ok := t.cipherPeer(w, t.packet.dst)
	if !ok || !t.handshake(w, p) {
		return false
	}
	if !p.Endpoint.IsValid() {
		return t.add(Station{Name: "underlay route", Object: p.String(), State: Unknown, Note: "the peer has no endpoint: its packets wait until it sends some"})
	}
	outer := netdump.Link{Name: l.Name, Local: t.uplinkAddr(p.Endpoint.Addr()), Port: p.Endpoint.Port()}
	return t.underlay(outer, p.Endpoint.Addr())
}

// decrypted follows the encrypted packet of a peer up to the device that decrypts it.
func (t *trace) decrypted(l netdump.Link, peer api.Peer) bool {
	w, ok := t.cipher(l)
	if !ok {
		return false
	}
	p, ok := t.cipherPeer(w, t.packet.src)
	if !ok {
		return false
	}
	outer := packet{src: p.Endpoint.Addr(), proto: protoUDP, port: w.Port, in: t.Status.Uplink.Name, local: true}
	for _, a := range peer.Public {
		if !outer.src.IsValid() {
			outer.src = a
		}
	}
	if outer.dst = t.uplinkAddr(outer.src); outer.src.IsValid() && outer.dst.IsValid() {
		for _, hook := range []string{"ingress", "prerouting", "input"} {
			if _, passes := t.hook(hook, "underlay "+hook, outer); !passes {
				return false
			}
		}
	}
	return t.handshake(w, p) && t.device("tunnel", l.Name)
}

// uplinkAddr is this host's address of the family of a host's.
func (t *trace) uplinkAddr(theirs netip.Addr) netip.Addr {
	for _, a := range t.Status.Uplink.Addrs {
		if a.Is4() == theirs.Is4() {
			return a
		}
	}
	return netip.Addr{}
}

// cipher returns the settings of a WireGuard device, and compares a planned one with the
// plan.
func (t *trace) cipher(l netdump.Link) (w netdump.WireGuard, ok bool) {
	w, found := t.Kernel.Cipher(l.Name)
	want, planned := t.plannedLink(l.Name)
	switch {
	case !found:
		t.add(Station{Name: "encryption", Object: l.Name, State: Unknown, Note: "the settings of the device are not known"})
		return w, false
	case w.Mute != "":
		return w, t.broken("encryption", l.Name, w.Mute, t.restore())
	case planned && (w.Port != want.Port || w.Key != want.Key.String()):
		w.Peers = nil
		return w, t.broken("encryption", w.String(), "not as planned: "+want.String(), t.restore())
	}
	return w, true
}

// cipherPeer returns the peer of a device to which an address belongs, and compares it with
// the plan.
func (t *trace) cipherPeer(w netdump.WireGuard, a netip.Addr) (netdump.WireGuardPeer, bool) {
	p, prefix, found := w.Peer(a)
	want, planned := t.plannedAllowed(w.Dev, a)
	switch {
	case planned && (!found || prefix != want.Prefix):
		return p, t.broken("allowed prefix", fmt.Sprintf("%s dev %s", a, w.Dev), "missing: "+want.String(), t.restore())
	case !found:
		return p, t.broken("allowed prefix", fmt.Sprintf("%s dev %s", a, w.Dev), "no peer of the device may have this address: its packets are dropped", t.restore())
	case planned && p.Key != want.Key.String():
		return p, t.broken("allowed prefix", fmt.Sprintf("%s peer %s dev %s", prefix, p.Key, w.Dev), "not as planned: "+want.String(), t.restore())
	}
	return p, true
}

func (t *trace) plannedAllowed(dev string, a netip.Addr) (out netstate.Allowed, found bool) {
	if t.Plan == nil {
		return out, false
	}
	for one := range t.Plan.Allowed.All() {
		if one.Dev == dev && one.Prefix.Contains(a) && (!found || one.Prefix.Bits() > out.Prefix.Bits()) {
			out, found = one, true
		}
	}
	return out, found
}

// handshake adds the peer with its last handshake. None for three minutes is a fault if
// packets were sent meanwhile, as the agent's probes are; without them there is no need
// for one.
func (t *trace) handshake(w netdump.WireGuard, p netdump.WireGuardPeer) bool {
	s := Station{Name: "encryption", Object: p.String(), Note: "WireGuard in the kernel"}
	if w.UserSpace {
		s.Note = "WireGuard in user space"
	}
	age := t.Kernel.At.Sub(p.Handshake)
	switch {
	case p.Handshake.IsZero():
		s.Note += "; no handshake yet"
	default:
		s.Note += fmt.Sprintf("; last handshake %s ago", age.Round(time.Second))
	}
	switch {
	case !p.Handshake.IsZero() && age < fresh:
	case p.Sent > 0 && (p.Handshake.IsZero() || t.probed()):
		s.State, s.Note = Broken, s.Note+", although packets are sent"
		s.Remedy = "check that the peer's agent runs, that UDP port " + fmt.Sprint(p.Endpoint.Port()) + " is open on the way, and that the peer knows this host's key: run 'weft check' there"
	default:
		s.State, s.Note = Unknown, s.Note+": nothing was sent lately"
	}
	return t.add(s)
}

// probed reports whether the agent keeps sending packets to the other end.
func (t *trace) probed() bool {
	for _, end := range []netip.Addr{t.packet.src, t.packet.dst} {
		for _, p := range t.Status.Peers {
			for _, path := range p.Paths {
				if path.Subnet.Contains(end) && path.Reach.State != "" {
					return true
				}
			}
		}
	}
	return false
}
