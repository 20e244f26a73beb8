package netstate

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"strings"
)

// Peer is another host as a WireGuard device knows it, identified by the device and the
// host's public key.
type Peer struct {
	Dev       string
	Key       WGKey
	Endpoint  netip.AddrPort // where its packets are sent to until it is heard from elsewhere; may be none
	Keepalive uint16         // seconds; 0: off
	PSK       string         // fingerprint of the preshared key; "": none

	// Roams is true of an observed peer that was heard from lately and of which is not known
	// what it was given: the kernel has learned Endpoint from its packets, and knows better than anybody.
	Roams bool
}

// Compare orders by device and key.
func (p Peer) Compare(o Peer) int {
	return cmp.Or(strings.Compare(p.Dev, o.Dev), bytes.Compare(p.Key[:], o.Key[:]))
}

// allows reports whether p, a wanted peer, is content with have.
func (p Peer) allows(have Peer) bool {
	if have.Roams || !p.Endpoint.IsValid() { // none can be taken away
		p.Endpoint, p.Roams = have.Endpoint, have.Roams
	}
	return p == have
}

// String renders e.g. "peer KEY dev flannel-wg endpoint 10.4.7.22:51820 keepalive 25 psk 0a1b2c3d".
func (p Peer) String() string {
	s := fmt.Sprintf("peer %s dev %s", p.Key, p.Dev)
	if p.Endpoint.IsValid() {
		s += " endpoint " + p.Endpoint.String()
	}
	if p.Keepalive != 0 {
		s += fmt.Sprintf(" keepalive %d", p.Keepalive)
	}
	if p.PSK != "" {
		s += " psk " + p.PSK
	}
	return s + flag(p.Roams, " roams", "")
}

// Allowed says of which peer a WireGuard device takes packets with a source in
// Prefix, and to which it sends packets for it. It is identified by device and
// prefix: no two peers have the same.
type Allowed struct {
	Prefix netip.Prefix // masked
	Key    WGKey
	Dev    string
}

// Compare orders by device and prefix.
func (a Allowed) Compare(o Allowed) int {
	return cmp.Or(strings.Compare(a.Dev, o.Dev), comparePrefix(a.Prefix, o.Prefix))
}

// String renders e.g. "allowed 172.7.22.0/24 peer KEY dev flannel-wg".
func (a Allowed) String() string {
	return fmt.Sprintf("allowed %s peer %s dev %s", a.Prefix, a.Key, a.Dev)
}

func parsePeer(w *words) Peer {
	p := Peer{Key: take(w, ParseWGKey), Dev: w.after("dev")}
	if w.has("endpoint") {
		p.Endpoint = take(w, netip.ParseAddrPort)
	}
	if w.has("keepalive") {
		p.Keepalive = uint16(take(w, parseUint(16)))
	}
	if w.has("psk") {
		p.PSK = w.next()
	}
	p.Roams = w.has("roams")
	return p
}

func parseAllowed(w *words) Allowed {
	return Allowed{Prefix: take(w, parseMasked), Key: takeAfter(w, "peer", ParseWGKey), Dev: w.after("dev")}
}
