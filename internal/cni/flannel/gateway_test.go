package flannel

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestInTheWay(t *testing.T) {
	for _, tc := range []struct{ have, gateway, want string }{
		{"", "10.9.1.1/24", ""},
		{"10.9.1.1/24", "10.9.1.1/24", ""},
		{"172.7.1.1/24", "10.9.1.1/24", "172.7.1.1/24"},
		{"10.9.1.1/24 172.7.1.1/24", "10.9.1.1/24", ""},             // the plugin does not look further
		{"172.7.1.1/24 10.9.1.1/24", "10.9.1.1/24", "172.7.1.1/24"}, // but from the first on
		{"10.9.1.1/23", "10.9.1.1/24", "10.9.1.1/23"},
		{"fd17:0:0:1::1/64 fe80::1/64", "10.9.1.1/24", ""},
		{"fd17:0:0:1::1/64 fe80::1/64 10.9.1.1/24", "fd19:0:0:1::1/64", ""},
		{"fd17:0:0:1::1/64", "fd17::1/56", "fd17:0:0:1::1/64"},
	} {
		var have []netip.Prefix
		for _, p := range strings.Fields(tc.have) {
			have = append(have, netip.MustParsePrefix(p))
		}
		var got []string
		for _, p := range inTheWay(have, netip.MustParsePrefix(tc.gateway)) {
			got = append(got, p.String())
		}
		if got := strings.Join(got, " "); got != tc.want {
			t.Errorf("%s where there is %q: %q is in the way, want %q", tc.gateway, tc.have, got, tc.want)
		}
	}
}

// TestBridged reads what the delegate bridge does about gateways.
func TestBridged(t *testing.T) {
	const ranges = `"ipam": {"type": "host-local", "ranges": [[{"subnet": "172.7.1.0/24"}], [{"subnet": "fd17:0:0:1::/64"}]]}`
	for conf, want := range map[string]string{
		`{"type": "bridge", "isGateway": true, ` + ranges + `}`:                                                                         "cni0 172.7.1.1/24 fd17:0:0:1::1/64",
		`{"type": "bridge", "isDefaultGateway": true, "bridge": "br7", "vlan": 5, ` + ranges + `}`:                                      "br7.5 172.7.1.1/24 fd17:0:0:1::1/64",
		`{"type": "bridge", "isGateway": true, "ipam": {"type": "host-local", "subnet": "172.7.1.0/24"}}`:                               "cni0 172.7.1.1/24",
		`{"type": "bridge", ` + ranges + `}`:                                                                                            "",
		`{"type": "ptp", "isGateway": true, ` + ranges + `}`:                                                                            "",
		`{"type": "bridge", "isGateway": true, "ipam": {"type": "dhcp"}}`:                                                               "",
		`{"type": "bridge", "isGateway": true, "bridge": 7, ` + ranges + `}`:                                                            "",
		`{"type": "bridge", "isGateway": true, "ipam": {"type": "host-local", "ranges": [[{"subnet": "172.7.1.0/24", "gateway": 1}]]}}`: "cni0 172.7.1.1/24",
	} {
		var o object
		if err := json.Unmarshal([]byte(conf), &o); err != nil {
			t.Fatal(err)
		}
		got := ""
		if b, ok := bridgedOf(o); ok {
			got = b.device()
			for _, g := range b.gateways() {
				got += " " + g.String()
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", conf, got, want)
		}
	}
}

// TestWithoutGateway gives the container the routes that it would have got.
func TestWithoutGateway(t *testing.T) {
	for routes, want := range map[string][]string{
		``:                                    {`{"dst":"0.0.0.0/0","gw":"172.7.1.1"}`},
		`, "routes": [{"dst": "10.0.0.0/8"}]`: {`{"dst":"10.0.0.0/8"}`, `{"dst":"0.0.0.0/0","gw":"172.7.1.1"}`},
		`, "routes": [{"dst": "0.0.0.0/0", "gw": "172.7.1.9"}]`: {`{"dst":"0.0.0.0/0","gw":"172.7.1.9"}`},
	} {
		var conf object
		text := `{"type": "bridge", "forceAddress": true, "isDefaultGateway": true, "ipam": {"type": "host-local", "ranges": [[{"subnet": "172.7.1.0/24"}]]` + routes + `}}`
		if err := json.Unmarshal([]byte(text), &conf); err != nil {
			t.Fatal(err)
		}
		b, _ := bridgedOf(conf)
		out, err := b.withoutGateway(conf)
		if err != nil {
			t.Fatal(err)
		}
		var ipam struct{ Routes []json.RawMessage }
		if err := json.Unmarshal(out["ipam"], &ipam); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range ipam.Routes {
			got = append(got, string(r))
		}
		if !slices.Equal(got, want) || string(out["isGateway"])+string(out["isDefaultGateway"])+string(out["forceAddress"]) != "falsefalsefalse" {
			t.Errorf("%s: %s", routes, out)
		}
		if string(conf["forceAddress"]) != "true" {
			t.Error("the config itself was changed")
		}
	}
}
