package docker

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// keyNetworkOpts has, since Docker 24, options for the networks that users
// make: by driver, by option.
const keyNetworkOpts = "default-network-opts"

// Warnings says what in the file contradicts b although Docker starts with it:
// an MTU of users' networks above that of the host's subnet, whose large
// packets to other hosts' containers then need fragments, or are lost.
func (d DaemonJSON) Warnings(b Bridge) []string {
	o, err := parseObject(d.now.text)
	if err != nil {
		return nil // Configure says so
	}
	var drivers map[string]map[string]string
	if have := o.get(keyNetworkOpts); have == "" || json.Unmarshal([]byte(have), &drivers) != nil {
		return nil
	}
	var out []string
	for _, driver := range slices.Sorted(maps.Keys(drivers)) {
		text := drivers[driver][mtuOption]
		if mtu, err := strconv.Atoi(text); err != nil || mtu <= b.MTU {
			continue
		}
		out = append(out, fmt.Sprintf("%q sets %q to %q for networks of driver %q, above this host's MTU of %d: large packets from these networks to other hosts' containers are fragmented or lost; set it to %d",
			keyNetworkOpts, mtuOption, text, driver, b.MTU, b.MTU))
	}
	return out
}
