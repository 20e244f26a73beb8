package flannel_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestLifeOfAContainer has the steps that flannel's plugin is tested with, for
// each kind of subnet.env: ADD keeps the delegate's config in dataDir/ID and
// gives an address a family, DEL removes both, and a second DEL is no error.
func TestLifeOfAContainer(t *testing.T) {
	const rest = "FLANNEL_MTU=1472\nFLANNEL_IPMASQ=true\n"
	const six = "FLANNEL_IPV6_NETWORK=fc00::/48\nFLANNEL_IPV6_SUBNET=fc00::1/64\n"
	for name, tc := range map[string]struct {
		env           string
		addrs, routes int
	}{
		"IPv4":          {env: "FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.17.1/24\n" + rest, addrs: 1, routes: 1},
		"two networks":  {env: "FLANNEL_NETWORK=10.1.0.0/16,192.168.0.0/16\nFLANNEL_SUBNET=10.1.17.1/24\n" + rest, addrs: 1, routes: 2},
		"IPv6":          {env: six + rest, addrs: 1, routes: 1},
		"both families": {env: "FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.17.1/24\n" + six + rest, addrs: 2, routes: 2},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			check(t, os.WriteFile(h.SubnetFile(), []byte(tc.env), 0o644))
			c := call{command: "ADD", id: "some-container-id", ifName: "eth0", netns: container(t)}
			var result struct {
				IPs []struct{ Address string }
			}
			check(t, json.Unmarshal([]byte(c.must(t, h, conf(h, ""))), &result))
			if len(result.IPs) != tc.addrs {
				t.Errorf("the container has %+v; want %d addresses", result.IPs, tc.addrs)
			}
			kept, err := os.ReadFile(filepath.Join(records(h), c.id))
			check(t, err)
			var told struct {
				Name, Type        string
				MTU               int
				IPMasq, IsGateway bool
				IPAM              struct{ Ranges, Routes []any }
			}
			check(t, json.Unmarshal(kept, &told))
			if told.Type != "bridge" || told.MTU != 1472 || told.IPMasq || !told.IsGateway || told.Name != "lab" ||
				len(told.IPAM.Ranges) != tc.addrs || len(told.IPAM.Routes) != tc.routes {
				t.Errorf("the delegate was told %s", kept)
			}
			c.command = "DEL"
			c.must(t, h, conf(h, ""))
			left(t, h)
			c.must(t, h, conf(h, ""))
		})
	}
}
