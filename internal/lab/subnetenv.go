package lab

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// SubnetEnv is what a container runtime takes from flannel's subnet.env.
type SubnetEnv struct {
	Gateways []netip.Prefix // the host's own address in its subnet, one a family, v4 first
	MTU      int            // bytes
}

// ParseSubnetEnv reads subnet.env: lines of KEY=value, of which unknown keys are passed over.
func ParseSubnetEnv(text string) (SubnetEnv, error) {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[key] = value
		}
	}
	var out SubnetEnv
	for _, key := range []string{"FLANNEL_SUBNET", "FLANNEL_IPV6_SUBNET"} {
		value, ok := values[key]
		if !ok {
			continue
		}
		gateway, err := netip.ParsePrefix(value)
		if err != nil {
			return SubnetEnv{}, fmt.Errorf("%s: %w", key, err)
		}
		out.Gateways = append(out.Gateways, gateway)
	}
	if len(out.Gateways) == 0 {
		return SubnetEnv{}, fmt.Errorf("neither FLANNEL_SUBNET nor FLANNEL_IPV6_SUBNET is set")
	}
	mtu, err := strconv.Atoi(values["FLANNEL_MTU"])
	if err != nil || mtu < 68 || mtu > 65535 {
		return SubnetEnv{}, fmt.Errorf("FLANNEL_MTU=%s: want bytes, 68 to 65535", values["FLANNEL_MTU"])
	}
	out.MTU = mtu
	return out, nil
}
