package kernel

import (
	"net/netip"
	"sync"

	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/weft-net/weft/internal/netstate"
)

// endpoints remembers which endpoints peers of WireGuard devices were given, which devices
// forget once they have heard of another one. Without it, a new endpoint for a peer that is heard from,
// as when the other family is to be used, could not be told from one that the device
// has learned. The zero value knows none, as after a restart.
type endpoints struct {
	mu    sync.Mutex
	given map[peerName]netip.AddrPort
}

type peerName struct {
	device string
	key    netstate.WGKey
}

// note takes up what a change gives to peers of a device.
func (e *endpoints) note(device string, change wgtypes.Config) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.given == nil {
		e.given = map[peerName]netip.AddrPort{}
	}
	for _, p := range change.Peers {
		name := peerName{device, netstate.WGKey(p.PublicKey)}
		switch {
		case p.Remove:
			delete(e.given, name)
		case p.Endpoint != nil:
			e.given[name] = endpointOf(p.Endpoint)
		}
	}
}

// inForce returns the endpoint of a peer to compare with the wanted one, and whether any
// is right. A peer that is heard from has the one that it was given, whatever the device has
// learned since; where nobody knows that, what the device has learned is believed.
func (e *endpoints) inForce(device string, p wgtypes.Peer, heard bool) (end netip.AddrPort, any bool) {
	learned := endpointOf(p.Endpoint)
	e.mu.Lock()
	given, known := e.given[peerName{device, netstate.WGKey(p.PublicKey)}]
	e.mu.Unlock()
	if heard && known && learned.IsValid() {
		return given, false
	}
	return learned, heard
}
