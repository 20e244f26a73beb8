package ptp

import (
	"testing"

	"github.com/weft-net/weft/internal/cni"
)

// FuzzConfig: whatever stands in a config, a link has a name that the kernel
// takes, and addresses that are some.
func FuzzConfig(f *testing.F) {
	f.Add("c1", []byte(`{"subnetFile": "/x", "prevResult": {"interfaces": [{"name": "weft0"}, {"name": "eth0", "sandbox": "/y", "mtu": 1450}],
		"ips": [{"interface": 1, "address": "10.5.1.2/32"}, {"interface": 1, "address": "fd05::2/128"}]}}`))
	f.Add("c2", []byte(`{"prevResult": {"interfaces": [null], "ips": [null, {"interface": -1}]}}`))
	f.Fuzz(func(t *testing.T, id string, config []byte) {
		r := cni.Request{ContainerID: id, IfName: "eth0", Config: config}
		c, err := parse(r)
		if err != nil {
			return
		}
		if made := linkOf(owner(r)); made.HostMAC == made.PodMAC {
			t.Errorf("%q gave both ends one MAC", id)
		}
		_, _ = c.wanted(id) // must not panic
		link, err := addedLink(r, c)
		if len(link.Host) != 15 || link.PodMAC[0]&1 != 0 || link.HostMAC[0]&3 != 2 {
			t.Errorf("%q became %+v", id, link)
		}
		for _, a := range link.Addrs {
			if err == nil && !a.IsValid() {
				t.Errorf("%s has an address that is none", config)
			}
		}
	})
}
