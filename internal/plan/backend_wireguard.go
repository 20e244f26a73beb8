package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan/firewall"
	"github.com/weft-net/weft/internal/plan/wireguard"
)

var wireguardBackend = backend{
	kind: Encrypted,
	announce: func(a *announcing, f netconf.Family) (json.RawMessage, error) {
		if a.before.Key.IsZero() {
			return nil, errors.New("wireguard needs a key of this host, and there is none; see why the state directory cannot be written")
		}
		return wireguard.Data{Key: a.before.Key, Port: wireguard.Port(a.net.Backend.WireGuard, f)}.Marshal(), nil
	},
	anyFamily: func(b netconf.Backend) bool { return b.WireGuard.Mode != netconf.Separate },
	overhead:  func(netconf.Family) int { return wireguard.Overhead },
	mtu:       func(b netconf.Backend) int { return b.WireGuard.MTU },
	device:    func(b netconf.Backend, f netconf.Family) string { return wireguard.Name(b.WireGuard.Mode, f) },
	follows: func(_ netconf.Backend, data json.RawMessage) bool {
		_, err := wireguard.ParseData(data)
		return err == nil
	},
	tunnel: func(data json.RawMessage) (Tunnel, bool) {
		_, err := wireguard.ParseData(data)
		return Tunnel{Backend: WireGuard}, err == nil
	},
	carriers: func(b netconf.Backend) (out []firewall.Tunnel) {
		for _, f := range netconf.Families {
			out = append(out, firewall.Tunnel{Family: f, Port: wireguard.Port(b.WireGuard, f), Encrypted: true})
		}
		return out
	},
	pathTo: encryptedTo,
}

// encryption is the config of the encrypted tunnels that this host has, or still has,
// with what it announced.
func (in *Input) encryption() (Former, bool) {
	if in.Net.Backend.Type == WireGuard {
		return Former{Backend: in.Net.Backend, Attrs: in.Self.Attrs}, true
	}
	i := slices.IndexFunc(in.Former, func(f Former) bool { return f.Backend.Type == WireGuard })
	if i < 0 {
		return Former{}, false
	}
	return in.Former[i], true
}

// encryptedTo returns the one path to a host that encrypts: there is no other, so that
// nothing that is broken makes packets to it travel in clear.
func encryptedTo(in *Input, p *lease.Lease, f netconf.Family) (Path, error) {
	own, ok := in.encryption()
	if !ok {
		return Path{}, fmt.Errorf("announces wireguard, which the network's config (%s) does not have; see why its agent has not switched, or restart its flanneld; %s", in.Net.Backend, ifGone(p))
	}
	data, err := wireguard.ParseData(p.Data.Of(f))
	if err != nil {
		return Path{}, fmt.Errorf("%w; %s", err, anew(p))
	}
	conf := own.Backend.WireGuard
	remote := wireguard.Endpoint(conf.Mode, f, in.Host.Uplink.Addrs, p.Public)
	if !remote.IsValid() {
		return Path{}, fmt.Errorf("announces no address at which this host could reach it by wireguard in mode %q; %s", conf.Mode, anew(p))
	}
	if in.isOwn(remote) {
		return Path{}, ownAddress(p, remote)
	}
	return Path{Kind: Encrypted, Dev: wireguard.Name(conf.Mode, f), Remote: remote, Key: data.Key}, nil
}

// cipherEnd is this host's end of the encrypted tunnels in family f, nil if it has none.
func cipherEnd(in *Input, f netconf.Family) (*wireguard.Device, error) {
	own, ok := in.encryption()
	if !ok {
		return nil, nil
	}
	subnet, ok := in.Self.Subnet(f)
	if !ok {
		return nil, lacksSubnet(f)
	}
	data, err := wireguard.ParseData(own.Attrs.Data.Of(f))
	if err != nil {
		return nil, fmt.Errorf("own lease: %w", err)
	}
	conf := own.Backend.WireGuard
	return &wireguard.Device{
		Conf: conf, Family: f, Key: data.Key, Port: wireguard.Port(conf, f),
		Subnets:   append([]netip.Prefix{subnet}, in.draining(f)...),
		MTU:       underlayMTU(own.Backend, in.Host) - wireguard.Overhead,
		AllStrict: in.allStrict(),
	}, nil
}

// keyOf returns the public key of a peer: what it announces, or what its host says of
// itself while it announces something else, so that both hosts know each other before
// the first encrypted packet.
func (b *basis) keyOf(l *lease.Lease, f netconf.Family) netstate.WGKey {
	if b.ciphers[f] == nil {
		return netstate.WGKey{}
	}
	if l.Backend == WireGuard {
		data, _ := wireguard.ParseData(l.Data.Of(f)) // pathTo says what is wrong
		return data.Key
	}
	h, _ := b.in.Hosts.Find(lease.HostOf(l.Subnets))
	key, _ := netstate.ParseWGKey(h.WireGuard)
	return key
}

// endpoint is where packets to p are sent first.
func (b *basis) endpoint(p *peer, f netconf.Family) netip.AddrPort {
	conf := b.ciphers[f].Conf
	addr := wireguard.Endpoint(conf.Mode, f, b.in.Host.Uplink.Addrs, p.Public)
	if !addr.IsValid() {
		return netip.AddrPort{}
	}
	port := wireguard.Port(conf, f)
	if p.Backend == WireGuard {
		port = wireguard.PeerPort(conf, f, p.Data.Of)
	}
	return netip.AddrPortFrom(addr, port)
}

// AwaitsHandshake reports whether a peer that goes over from what it announced before to
// now is the one that begins the handshake with the host of the key own: of two hosts that of
// the lower key. Else both would begin at the same moment, since both learn it from the store.
func AwaitsHandshake(own netstate.WGKey, before, now lease.Attrs) bool {
	if own.IsZero() || before.Backend == WireGuard || now.Backend != WireGuard {
		return false
	}
	for _, f := range netconf.Families {
		if data, err := wireguard.ParseData(now.Data.Of(f)); err == nil {
			return bytes.Compare(data.Key[:], own[:]) < 0
		}
	}
	return false
}

// KeysOf returns the public keys that a host with attrs announces, each once.
func KeysOf(attrs lease.Attrs) (out []netstate.WGKey) {
	if attrs.Backend != WireGuard {
		return nil
	}
	for _, f := range netconf.Families {
		data, err := wireguard.ParseData(attrs.Data.Of(f))
		if err == nil && !slices.Contains(out, data.Key) {
			out = append(out, data.Key)
		}
	}
	return out
}

// WithKey returns attrs with another public key wherever they have one.
func WithKey(attrs lease.Attrs, key netstate.WGKey) lease.Attrs {
	if attrs.Backend != WireGuard {
		return attrs
	}
	for _, f := range netconf.Families {
		if data, err := wireguard.ParseData(attrs.Data.Of(f)); err == nil {
			data.Key = key
			attrs.Data = attrs.Data.With(f, data.Marshal())
		}
	}
	return attrs
}
