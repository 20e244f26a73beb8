package netconf

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
)

// WireGuard holds the keys of a wireguard backend.
type WireGuard struct {
	ListenPort   uint16 // UDP, host order; default 51820
	ListenPortV6 uint16 // of the device of IPv6 in Mode Separate; default 51821
	PSK          PSK
	Keepalive    uint16 // seconds between packets that keep a NAT's mapping; 0: off
	Mode         Mode
	MTU          int  // bytes of the underlay, 0: that of the uplink
	Strict       bool // packets to hosts that do not encrypt yet are dropped
}

// Strict reports whether nothing may travel in clear between the network's hosts.
func (n Network) Strict() bool { return n.Backend.Type == "wireguard" && n.Backend.WireGuard.Strict }

// Mode says by which family of addresses hosts reach each other.
type Mode string

// The modes.
const (
	Separate Mode = "separate" // each family by its own, through a device of its own
	Auto     Mode = "auto"     // both through one device, by the family that is more likely to pass
	OnlyV4   Mode = "ipv4"     // both through one device, by IPv4
	OnlyV6   Mode = "ipv6"     // both through one device, by IPv6
)

// PSK is a preshared key, zero for none. It prints as its fingerprint alone, so
// that no log, plan or bug report has it.
type PSK [32]byte

// String returns the Fingerprint.
func (k PSK) String() string { return k.Fingerprint() }

// GoString returns the Fingerprint, for %#v.
func (k PSK) GoString() string { return k.Fingerprint() }

// Fingerprint tells k from other keys and does not tell k: the first 32 bits of
// a hash; "" for none.
func (k PSK) Fingerprint() string {
	if k == (PSK{}) {
		return ""
	}
	sum := sha256.Sum256(append([]byte("weft preshared key "), k[:]...))
	return hex.EncodeToString(sum[:4])
}

// Ports of a wireguard backend that names none.
const (
	defaultListenPort   = 51820
	defaultListenPortV6 = 51821
)

func parseWireGuard(o *object, ipv6 bool) WireGuard {
	leastMTU := uint64(minMTU)
	if ipv6 {
		leastMTU = minMTUv6 + 10 // the header is 80 bytes, vxlan's 70
	}
	return WireGuard{
		ListenPort:   uint16(o.uint("ListenPort", defaultListenPort, 1, 65535, true)),
		ListenPortV6: uint16(o.uint("ListenPortV6", defaultListenPortV6, 1, 65535, true)),
		PSK:          parsePSK(o),
		Keepalive:    uint16(o.uint("PersistentKeepaliveInterval", 0, 1, 65535, true)),
		Mode:         parseMode(o),
		MTU:          int(o.uint("MTU", 0, leastMTU, maxMTU, true)),
		Strict:       o.bool("Strict", false),
	}
}

func parseMode(o *object) Mode {
	const want = `must be "separate", "auto", "ipv4" or "ipv6"`
	switch m := Mode(strings.ToLower(o.string("Mode", want))); m {
	case "":
		return Separate
	case Separate, Auto, OnlyV4, OnlyV6:
		return m
	default:
		o.refuse("Mode", shorten([]byte(m)), want)
		return Separate
	}
}

// parsePSK reads the preshared key. A wrong one is not shown: it may be nearly right.
func parsePSK(o *object) (k PSK) {
	raw := o.take("PSK")
	var text string
	if raw == nil || json.Unmarshal(raw, &text) == nil && text == "" {
		return PSK{}
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != len(k) {
		o.refuse("PSK", "(not shown)", "must be 32 bytes in base64 and in quotes, such as 'wg genpsk' prints")
		return PSK{}
	}
	return PSK(key)
}

// isSecret reports whether the value of a key is not to be shown.
func isSecret(key string) bool { return strings.EqualFold(key, "Backend.PSK") }

// masked stands for a value that is not to be shown, and differs from what stands
// for another.
func masked(value string) string {
	sum := sha256.Sum256([]byte(value))
	return strconv.Quote("(secret " + hex.EncodeToString(sum[:4]) + ")")
}
