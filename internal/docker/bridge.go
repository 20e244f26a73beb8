package docker

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/subnetenv"
)

// Bridge is the part of subnet.env about Docker's bridge.
type Bridge struct {
	Address netip.Prefix // of the bridge, not masked; the zero Prefix without IPv4
	V6      netip.Prefix // subnet of its containers, masked; the zero Prefix without IPv6
	MTU     int          // bytes; 0: not set
	Masq    *bool        // whether Docker masquerades; nil: not set
}

// ParseBridge reads a subnet.env. What it does not say stays unset; a value
// that makes no sense is an error naming its key.
func ParseBridge(data []byte) (Bridge, error) {
	env, err := subnetenv.Parse(data)
	if err != nil {
		return Bridge{}, err
	}
	var b Bridge
	for _, s := range env.Subnets {
		if netconf.FamilyOf(s.Addr()) == netconf.V6 {
			b.V6 = s
		}
	}
	values := subnetenv.Values(data)
	if text := values["FLANNEL_SUBNET"]; text != "" {
		if b.Address, err = netip.ParsePrefix(text); err != nil {
			return Bridge{}, fmt.Errorf("FLANNEL_SUBNET=%s: must be one address with its prefix length, as in 172.7.21.1/24", text)
		}
	}
	if text := values["FLANNEL_MTU"]; text != "" {
		if b.MTU, err = strconv.Atoi(text); err != nil || b.MTU <= 0 {
			return Bridge{}, fmt.Errorf("FLANNEL_MTU=%s: must be a number of bytes", text)
		}
	}
	switch text := values["FLANNEL_IPMASQ"]; text {
	case "":
	case "true", "false":
		b.Masq = new(text == "false") // one of the two does it
	default:
		return Bridge{}, fmt.Errorf("FLANNEL_IPMASQ=%s: must be true or false", text)
	}
	return b, nil
}

// Setting is one key of daemon.json and its value as JSON.
type Setting struct{ Key, Value string }

// Keys of daemon.json.
const (
	keyAddress = "bip"
	keyMTU     = "mtu"
	keyMasq    = "ip-masq"
	keyV6      = "ipv6"
	keyFixedV6 = "fixed-cidr-v6"
	keyFixed   = "fixed-cidr"
	keyBridge  = "bridge"
)

// Settings returns what daemon.json has to say. It fails on what an agent
// never writes: no subnet at all, or no MTU.
func (b Bridge) Settings() ([]Setting, error) {
	if !b.Address.IsValid() && !b.V6.IsValid() {
		return nil, errors.New("it has neither FLANNEL_SUBNET nor FLANNEL_IPV6_SUBNET")
	}
	if b.MTU == 0 {
		return nil, errors.New("it has no FLANNEL_MTU")
	}
	var out []Setting
	if b.Address.IsValid() {
		out = append(out, Setting{keyAddress, strconv.Quote(hostIn(b.Address).String())})
	}
	out = append(out, Setting{keyMTU, strconv.Itoa(b.MTU)})
	if b.Masq != nil {
		out = append(out, Setting{keyMasq, strconv.FormatBool(*b.Masq)})
	}
	if b.V6.IsValid() {
		out = append(out, Setting{keyV6, "true"}, Setting{keyFixedV6, strconv.Quote(b.V6.String())})
	}
	return out, nil
}

// hostIn returns p, or the first address in it if p names none.
func hostIn(p netip.Prefix) netip.Prefix {
	if p == p.Masked() {
		return netip.PrefixFrom(p.Addr().Next(), p.Bits())
	}
	return p
}
