package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
)

// Options of the default bridge in Docker's API.
const (
	mtuOption  = "com.docker.network.driver.mtu" // bytes, as text
	masqOption = "com.docker.network.bridge.enable_ip_masquerade"
)

// Running is the default bridge of a Docker daemon as it runs: what it was
// started with, whatever daemon.json says by now.
type Running struct {
	IPAM struct {
		Config []struct{ Subnet, Gateway string }
	}
	Options map[string]string
}

// Ask asks the dockerd at a unix socket for its default bridge.
func Ask(ctx context.Context, socket string) (r Running, err error) {
	if err := ask(ctx, socket, "/networks/bridge", &r); err != nil {
		return Running{}, fmt.Errorf("ask dockerd for its bridge: %w", err)
	}
	return r, nil
}

// Pending returns what the daemon runs with and the file does not say any more,
// a text as `mtu 1500, not 1450` each. It is empty if a restart would change nothing
// of weft's keys. Without an address in the file Docker keeps the one it has.
func (c Change) Pending(r Running) []string {
	o, err := parseObject(c.to.text)
	if err != nil {
		return nil // Docker would not start with it either
	}
	var out []string
	differs := func(key, has, says string) {
		if has != "" && has != says {
			out = append(out, fmt.Sprintf("%s %s, not %s", key, has, says))
		}
	}
	for _, key := range []string{keyAddress, keyFixedV6} {
		var text string
		if json.Unmarshal([]byte(o.get(key)), &text) != nil {
			continue
		}
		if says, err := netip.ParsePrefix(text); err == nil {
			differs(key, r.bridgeIn(says), says.String())
		}
	}
	differs(keyMTU, r.Options[mtuOption], orDefault(o.get(keyMTU), strconv.Itoa(defaultMTU)))
	differs(keyMasq, r.Options[masqOption], orDefault(o.get(keyMasq), "true"))
	return out
}

// defaultMTU is what dockerd takes if it is told nothing.
const defaultMTU = 1500

func orDefault(value, otherwise string) string {
	if value == "" || value == "0" {
		return otherwise
	}
	return value
}

// bridgeIn returns the daemon's prefix of the same family as want, in the form of
// want if it means the same, and "none" without one.
func (r Running) bridgeIn(want netip.Prefix) string {
	for _, c := range r.IPAM.Config {
		subnet, err := netip.ParsePrefix(c.Subnet)
		if err != nil || subnet.Addr().Is4() != want.Addr().Is4() {
			continue
		}
		gateway, err := netip.ParseAddr(c.Gateway)
		if subnet.Masked() == want.Masked() && (err != nil || want.Addr().Is6() || gateway == want.Addr()) {
			return want.String()
		}
		if err == nil && want.Addr().Is4() {
			return netip.PrefixFrom(gateway, subnet.Bits()).String()
		}
		return subnet.Masked().String()
	}
	return "none"
}
