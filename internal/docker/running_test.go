package docker

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestPendingComparesWhatDockerRunsWith(t *testing.T) {
	const v4 = `{"IPAM": {"Config": [{"Subnet": "172.7.21.0/24", "Gateway": "172.7.21.1"}]},
		"Options": {"com.docker.network.driver.mtu": "1450", "com.docker.network.bridge.enable_ip_masquerade": "true"}}`
	const dual = `{"IPAM": {"Config": [{"Subnet": "172.7.21.1/24"}, {"Subnet": "fd00:7:0:21::/64", "Gateway": "fd00:7:0:21::1"}]}}`
	for _, c := range []struct{ name, running, file, want string }{
		{"the same", v4, `{"bip": "172.7.21.1/24", "mtu": 1450, "ip-masq": true}`, ""},
		{"another MTU", v4, `{"bip": "172.7.21.1/24", "mtu": 1400}`, "mtu 1450, not 1400"},
		{"no MTU", v4, `{"bip": "172.7.21.1/24"}`, "mtu 1450, not 1500"},
		{"another subnet", v4, `{"bip": "172.7.22.1/24", "mtu": 1450}`, "bip 172.7.21.1/24, not 172.7.22.1/24"},
		{"another gateway", v4, `{"bip": "172.7.21.5/24", "mtu": 1450}`, "bip 172.7.21.1/24, not 172.7.21.5/24"},
		{"no masquerading", v4, `{"bip": "172.7.21.1/24", "mtu": 1450, "ip-masq": false}`, "ip-masq true, not false"},
		{"both families", dual, `{"bip": "172.7.21.1/24", "fixed-cidr-v6": "fd00:7:0:21::/64"}`, ""},
		{"another IPv6 subnet", dual, `{"fixed-cidr-v6": "fd00:7:0:22::/64"}`, "fixed-cidr-v6 fd00:7:0:21::/64, not fd00:7:0:22::/64"},
		{"no IPv6 yet", v4, `{"bip": "172.7.21.1/24", "mtu": 1450, "fixed-cidr-v6": "fd00:7:0:21::/64"}`, "fixed-cidr-v6 none, not fd00:7:0:21::/64"},
		{"nothing of weft's", dual, `{"debug": true}`, ""},
		{"no JSON", v4, `{`, ""},
	} {
		var r Running
		if err := json.Unmarshal([]byte(c.running), &r); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(Change{to: content{c.file, true}}.Pending(r), "; ")
		if got != c.want {
			t.Errorf("%s: pending is %q, want %q", c.name, got, c.want)
		}
	}
}
