package lease

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/sorted"
)

// Host is what an agent tells people, other commands and other agents about its host,
// beside the lease. No path depends on it: a host of flannel's has none. With the key,
// hosts know each other before the first of them announces to be reached by WireGuard.
type Host struct {
	Lease   string         `json:"-"`                 // the Key of the lease that it belongs to
	Name    string         `json:"hostname"`          // the hostname, or the node's name on Kubernetes
	Version string         `json:"version,omitempty"` // of the agent
	OnLink  []netip.Prefix `json:"onLink,omitempty"`  // what is directly connected to the uplink; masked
	MTU     int            `json:"mtu,omitempty"`     // of the uplink, in bytes; 0: unknown

	WireGuard string `json:"wireguard,omitempty"` // its public key, in base64; "": unknown
}

// HostSet is hosts in the order of their leases' keys, each lease once.
type HostSet = sorted.Set[Host]

// HostSetOf returns the set of hosts, in any order. It takes over the slice.
func HostSetOf(hosts ...Host) HostSet { return sorted.Of(hosts...) }

// Compare orders hosts by their leases' keys.
func (h Host) Compare(o Host) int { return strings.Compare(h.Lease, o.Lease) }

// HostOf returns a probe for the host of the lease of subnets, for Find.
func HostOf(subnets []netip.Prefix) Host { return Host{Lease: Key(subnets)} }

// Equal reports whether h and o say the same.
func (h Host) Equal(o Host) bool {
	return h.Lease == o.Lease && h.Name == o.Name && h.Version == o.Version && h.MTU == o.MTU && h.WireGuard == o.WireGuard && slices.Equal(h.OnLink, o.OnLink)
}

// Bounds of what a host may say.
const (
	maxHostBytes = 4096
	maxNameBytes = 253 // DNS, RFC 1035
	maxMTU       = 1 << 16
	maxKeyBytes  = 44 // 32 bytes in base64
)

// MarshalHost returns the stored form of h.
func MarshalHost(h Host) ([]byte, error) { return json.Marshal(h) }

// ParseHost reads what is stored about the host of the lease with this key.
func ParseHost(key string, doc []byte) (Host, error) {
	if len(doc) > maxHostBytes {
		return Host{}, fmt.Errorf("has %d bytes; %d are allowed", len(doc), maxHostBytes)
	}
	var h Host
	if err := json.Unmarshal(doc, &h); err != nil {
		return Host{}, err
	}
	switch {
	case h.Name == "" || len(h.Name) > maxNameBytes || len(h.Version) > maxNameBytes:
		return Host{}, errors.New("its hostname is missing, or too long")
	case len(h.WireGuard) > maxKeyBytes:
		return Host{}, errors.New("its WireGuard key is too long")
	case h.MTU < 0 || h.MTU > maxMTU:
		return Host{}, fmt.Errorf("its MTU of %d is impossible", h.MTU)
	case slices.ContainsFunc(h.OnLink, func(p netip.Prefix) bool { return !p.IsValid() }):
		return Host{}, errors.New("one of its prefixes is not valid")
	}
	h.Lease = key
	return h, nil
}
