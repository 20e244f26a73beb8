package ptp

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/weft-net/weft/internal/kernel/podlink"
)

// wanted is what a runtime requests for one interface. It may come as a
// capability, in the config's args, or in CNI_ARGS.
type wanted struct {
	addrs []netip.Addr // one for each subnet at most; the others are chosen
	mac   podlink.MAC  // zero: it follows from the owner
}

// request is the form of capabilities and of args.
type request struct {
	IPs []string `json:"ips"`
	MAC string   `json:"mac"`
}

// wanted reads what the runtime requests. What the type does not do is
// refused: a runtime would take it for done.
func (c config) wanted(env string) (w wanted, err error) {
	capabilities, err := c.capabilities()
	if err != nil {
		return w, err
	}
	var args struct {
		CNI request `json:"cni"`
	}
	if len(c.Args) > 0 {
		if err := json.Unmarshal(c.Args, &args); err != nil {
			return w, types.NewError(types.ErrDecodingFailure, "read args of the config", err.Error())
		}
	}
	words := parseArgs(env)
	ips := slices.Concat(capabilities.IPs, args.CNI.IPs)
	if words["IP"] != "" {
		ips = append(ips, strings.Split(words["IP"], ",")...)
	}
	for _, text := range ips {
		a, err := parseAddr(strings.TrimSpace(text))
		if err != nil {
			return w, err
		}
		if !slices.Contains(w.addrs, a) {
			w.addrs = append(w.addrs, a)
		}
	}
	if text := cmp.Or(capabilities.MAC, args.CNI.MAC, words["MAC"]); text != "" {
		w.mac, err = parseMAC(text)
	}
	return w, err
}

// capabilities reads runtimeConfig, which has those capabilities that the
// config declares. Runtimes send some of them empty.
func (c config) capabilities() (r request, err error) {
	if len(c.RuntimeConfig) == 0 {
		return r, nil
	}
	all := map[string]json.RawMessage{}
	if err = json.Unmarshal(c.RuntimeConfig, &all); err == nil {
		err = json.Unmarshal(c.RuntimeConfig, &r)
	}
	if err != nil {
		return r, types.NewError(types.ErrDecodingFailure, "read runtimeConfig of the config", err.Error())
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		empty := slices.Contains([]string{"null", "[]", "{}", `""`}, string(all[name]))
		if !empty && name != "ips" && name != "mac" {
			return r, types.NewError(types.ErrUnsupportedField, fmt.Sprintf("the runtime requests the capability %q, which type weft does not support", name),
				`remove it from "capabilities" of type weft in the config, and use the plugin that supports it, as portmap for portMappings`)
		}
	}
	return r, nil
}

// parseArgs reads CNI_ARGS, "KEY=VALUE;KEY=VALUE".
func parseArgs(text string) map[string]string {
	words := map[string]string{}
	for pair := range strings.SplitSeq(text, ";") {
		key, value, _ := strings.Cut(pair, "=")
		words[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return words
}

// parseAddr reads "10.5.1.7" or "10.5.1.7/24"; the length has no effect, since
// the type connects containers by single addresses.
func parseAddr(text string) (netip.Addr, error) {
	p, err := netip.ParsePrefix(text)
	a := p.Addr()
	if err != nil {
		a, err = netip.ParseAddr(text)
	}
	if err != nil || a.Zone() != "" {
		return a, types.NewError(types.ErrInvalidNetworkConfig, fmt.Sprintf("the runtime requests the address %q (ips, or IP in CNI_ARGS), which is not an IP address", text), "")
	}
	return a.Unmap(), nil
}

func parseMAC(text string) (m podlink.MAC, err error) {
	hw, err := net.ParseMAC(text)
	if err == nil && len(hw) == len(m) {
		m = podlink.MAC(hw)
	}
	if m == (podlink.MAC{}) || m[0]&1 != 0 {
		return m, types.NewError(types.ErrInvalidNetworkConfig, fmt.Sprintf("the runtime requests the MAC %q (mac, or MAC in CNI_ARGS), which is not the address of one Ethernet device", text), "")
	}
	return m, nil
}
