package flannel

import (
	"encoding/json"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/subnetenv"
)

// render returns the config of the delegate, a JSON object: the user's keys, and
// defaults that match the host's subnets for the missing ones.
func render(c config, env subnetenv.Env) ([]byte, error) {
	kind, err := c.delegateType()
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"name", "ipam"} {
		if c.Delegate[key] != nil {
			return nil, invalid("the config has %q in its delegate: remove it there, it comes from the config around it", key)
		}
	}
	defaults := map[string]any{
		"type":   kind,
		"ipMasq": !env.IPMasq, // either the agent masquerades or the delegate
		"mtu":    env.MTU,
	}
	if kind == "bridge" {
		defaults["isGateway"] = true
	}
	out := override(defaults, c.Delegate)
	out["name"] = c.Name
	if c.CNIVersion != "" {
		out["cniVersion"] = c.CNIVersion
	}
	if present(c.RuntimeConfig) {
		out["runtimeConfig"] = c.RuntimeConfig
	}
	if out["ipam"], err = renderIPAM(c.IPAM, env); err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// renderIPAM is the user's ipam with the host's subnets as its ranges, and
// routes to the networks behind the user's own.
func renderIPAM(user object, env subnetenv.Env) (map[string]any, error) {
	var given []object
	if present(user["routes"]) {
		if err := json.Unmarshal(user["routes"], &given); err != nil {
			return nil, invalid("ipam.routes of the config is not a list of objects as {\"dst\": \"192.0.2.0/24\"}: %v", err)
		}
	}
	var routes []any
	for _, route := range given {
		routes = append(routes, route)
	}
	routed := destinations(given)
	for _, network := range env.Networks {
		if !slices.Contains(routed, network) { // a second route fails the ADD
			routed = append(routed, network)
			routes = append(routes, map[string]netip.Prefix{"dst": network})
		}
	}
	var ranges [][]any // of each range one address is taken
	for _, subnet := range env.Subnets {
		ranges = append(ranges, []any{map[string]netip.Prefix{"subnet": subnet}})
	}
	out := override(map[string]any{"type": "host-local"}, user)
	out["ranges"], out["routes"] = ranges, routes
	return out, nil
}

// destinations are those of the routes. The delegate refuses
// those that are not prefixes.
func destinations(routes []object) (all []netip.Prefix) {
	for _, route := range routes {
		var dst netip.Prefix
		if json.Unmarshal(route["dst"], &dst) == nil {
			all = append(all, dst.Masked())
		}
	}
	return all
}

// override returns the defaults, overridden by the user's keys.
func override(defaults map[string]any, user object) map[string]any {
	for key, value := range user {
		defaults[key] = value
	}
	return defaults
}

// present reports whether a value was given; null counts as absent.
func present(value json.RawMessage) bool { return len(value) > 0 && string(value) != "null" }
