package netdump

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// WireGuard is what a WireGuard device is set to, without its secrets.
type WireGuard struct {
	Dev       string          `json:"dev"`
	Port      uint16          `json:"port"`           // UDP, that it listens on
	Key       string          `json:"key"`            // public
	UserSpace bool            `json:"userSpace"`      // a process carries it
	Mute      string          `json:"mute,omitempty"` // why nothing is known of it; "": it answered
	Peers     []WireGuardPeer `json:"peers"`
}

// WireGuardPeer is another host as a WireGuard device knows it.
type WireGuardPeer struct {
	Key       string         `json:"key"` // public
	Endpoint  netip.AddrPort `json:"endpoint,omitzero"`
	Allowed   []netip.Prefix `json:"allowed"`
	Handshake time.Time      `json:"lastHandshake,omitzero"` // the last one; absent: there was none
	Sent      int64          `json:"sentBytes"`
	Received  int64          `json:"receivedBytes"`
}

// String renders e.g. "flannel-wg: port 51820 key KEY in user space, 2 peers".
func (w WireGuard) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:", w.Dev)
	say(&b, w.Port != 0, " port %d", w.Port)
	say(&b, w.Key != "", " key %s", w.Key)
	say(&b, w.UserSpace, " in user space")
	say(&b, w.Mute != "", " mute: %s", w.Mute)
	for _, p := range w.Peers {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// String renders e.g. "peer KEY endpoint 10.4.8.24:51820 allowed 10.5.3.0/24".
func (p WireGuardPeer) String() string {
	var b strings.Builder
	b.WriteString("peer " + p.Key)
	say(&b, p.Endpoint.IsValid(), " endpoint %s", p.Endpoint)
	for i, a := range p.Allowed {
		say(&b, i == 0, " allowed %s", a)
		say(&b, i > 0, ", %s", a)
	}
	return b.String()
}

// Cipher returns the settings of a WireGuard device.
func (h *Host) Cipher(dev string) (WireGuard, bool) {
	for _, w := range h.Ciphers {
		if w.Dev == dev {
			return w, true
		}
	}
	return WireGuard{}, false
}

// Peer returns the peer to which the device sends packets for an address, and from which
// alone it takes packets of that source: that with the longest prefix.
func (w *WireGuard) Peer(a netip.Addr) (peer WireGuardPeer, prefix netip.Prefix, found bool) {
	for _, p := range w.Peers {
		for _, one := range p.Allowed {
			if one.Contains(a) && (!found || one.Bits() > prefix.Bits()) {
				peer, prefix, found = p, one, true
			}
		}
	}
	return peer, prefix, found
}
