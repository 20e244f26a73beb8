package kernel

import (
	"net"
	"net/netip"
	"testing"

	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"
)

// TestEndpointInForce: what a device has learned of a peer that is heard from hides neither what the peer
// was given nor a new endpoint; of a silent peer it is what it is.
func TestEndpointInForce(t *testing.T) {
	given, learned := netip.MustParseAddrPort("10.4.8.23:51820"), netip.MustParseAddrPort("10.4.7.1:4711")
	peer := wgtypes.Peer{PublicKey: wgtypes.Key{1}, Endpoint: net.UDPAddrFromAddrPort(learned)}
	note := func(e *endpoints, p wgtypes.PeerConfig) {
		p.PublicKey = peer.PublicKey
		e.note("flannel-wg", wgtypes.Config{Peers: []wgtypes.PeerConfig{p}})
	}
	var e endpoints
	check := func(when string, heard bool, want netip.AddrPort, wantAny bool) {
		t.Helper()
		if end, any := e.inForce("flannel-wg", peer, heard); end != want || any != wantAny {
			t.Errorf("%s: %s, any %t; want %s, %t", when, end, any, want, wantAny)
		}
	}
	check("after a restart", true, learned, true)
	check("after a restart, silent", false, learned, false)
	note(&e, wgtypes.PeerConfig{Endpoint: net.UDPAddrFromAddrPort(given)})
	check("heard from", true, given, false)
	check("silent", false, learned, false)
	note(&e, wgtypes.PeerConfig{UpdateOnly: true})
	check("after another change", true, given, false)
	if end, any := e.inForce("flannel-wg-v6", peer, true); end != learned || !any {
		t.Error("of another device:", end, any)
	}
	note(&e, wgtypes.PeerConfig{Remove: true})
	check("removed and added by somebody", true, learned, true)
}
