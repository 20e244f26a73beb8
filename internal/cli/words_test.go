package cli

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/netconf"
)

func TestCoarse(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:                        "0s",
		3 * time.Millisecond:                "3ms",
		12300 * time.Millisecond:            "12s",
		4*time.Minute + 30*time.Second:      "4m30s",
		23*time.Hour + 59*time.Minute + 1e9: "23h59m",
		24 * time.Hour:                      "1d0h",
		9*24*time.Hour + 4*time.Hour:        "9d4h",
	} {
		if got := coarse(d); got != want {
			t.Errorf("%v is said as %q, want %q", d, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"etcd-endpoint", "etcd-endpoints", 1}, {"iface", "face", 1}, {"abc", "axc", 1}, {"kitten", "sitting", 3}} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("from %q to %q it is %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

func TestParseSubnets(t *testing.T) {
	for text, want := range map[string][]netip.Prefix{
		"10.5.34.0/24":                   {netip.MustParsePrefix("10.5.34.0/24")},
		"10.5.34.0-24":                   {netip.MustParsePrefix("10.5.34.0/24")},
		"fd00:1::/64, 10.5.34.0/24":      {netip.MustParsePrefix("10.5.34.0/24"), netip.MustParsePrefix("fd00:1::/64")},
		"10.5.34.0-24&fd00:1::-64":       {netip.MustParsePrefix("10.5.34.0/24"), netip.MustParsePrefix("fd00:1::/64")},
		"0.0.0.0-0&fd00:1::-64":          {netip.MustParsePrefix("fd00:1::/64")},
		"10.5.34.1/24":                   nil,
		"10.5.34.0":                      nil,
		"10.5.34.0/24,10.5.35.0/24":      nil,
		"10.5.34.0/33":                   nil,
		"":                               nil,
		"fd00:1::/64,10.5.34.0/24,1::/8": nil,
	} {
		got, err := parseSubnets(text)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestMisfit(t *testing.T) {
	net, err := netconf.Parse([]byte(`{"Network": "10.5.0.0/16", "SubnetMax": "10.5.99.0"}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, fits := range map[string]bool{
		"10.5.34.0/24":             true,
		"10.5.99.0/24":             true,
		"10.5.100.0/24":            false,
		"10.6.34.0/24":             false,
		"10.5.34.0/25":             false,
		"fd00:1::/64":              false,
		"10.5.34.0/24,fd00:1::/64": false,
	} {
		subnets, err := parseSubnets(text)
		if err != nil {
			t.Fatal(err)
		}
		if why := misfit(net, subnets, false); (why == "") != fits {
			t.Errorf("%s: %q, want it to fit: %v", text, why, fits)
		}
	}
}

func TestCompareDocuments(t *testing.T) {
	from := `{"Network": "10.5.0.0/16", "SubnetLen": 24, "Backend": {"Type": "vxlan", "VNI": 1}}`
	to := `{"network": "10.5.0.0/16", "SubnetLen": 25, "Backend": {"Type": "host-gw"}, "Note": [1, 2]}`
	want := []string{
		`~ Backend.Type: "vxlan" -> "host-gw"`,
		`- Backend.VNI: 1`,
		`+ Note: [1,2]`,
		`~ SubnetLen: 24 -> 25`,
	}
	if got := compareDocuments([]byte(from), []byte(to)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := compareDocuments([]byte(from), []byte(from)); len(got) != 0 {
		t.Errorf("a document differs from itself: %q", got)
	}
	if got := compareDocuments([]byte(`{"a": 1, "A": 2}`), []byte(`{"A": 1, "a": 2}`)); len(got) != 0 {
		t.Errorf("of two spellings the last counts: %q", got)
	}
	if got := compareDocuments(nil, []byte(`{"Network": "x"}`)); !slices.Equal(got, []string{`+ Network: "x"`}) {
		t.Errorf("from nothing: %q", got)
	}
}
