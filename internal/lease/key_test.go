package lease

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func prefixes(s ...string) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(s))
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func TestKeyRoundTrip(t *testing.T) {
	for key, subnets := range map[string][]netip.Prefix{
		"10.5.34.0-24":                  prefixes("10.5.34.0/24"),
		"10.5.34.0-24&fc00:5:0:1b::-64": prefixes("10.5.34.0/24", "fc00:5:0:1b::/64"),
		"0.0.0.0-0&fc00:5:0:1b::-64":    prefixes("fc00:5:0:1b::/64"),
		"128.0.0.0-1":                   prefixes("128.0.0.0/1"),
		"10.0.0.2-31&fc00::2:2-127":     prefixes("10.0.0.2/31", "fc00::2:2/127"),
	} {
		got, err := ParseKey(key)
		if err != nil || !slices.Equal(got, subnets) {
			t.Errorf("ParseKey(%q) = %v, %v; want %v", key, got, err, subnets)
		}
		if k := Key(subnets); k != key {
			t.Errorf("Key(%v) = %q, want %q", subnets, k, key)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	for key, want := range map[string]string{
		"":                               "not of the form 10.5.34.0-24",
		"config":                         "not of the form",
		"10.5.34.0":                      "not of the form",
		"10.5.34.0/24":                   "not of the form",
		"10.5.34.0-":                     "not an ipv4 subnet",
		"10.5.34-24":                     "not an ipv4 subnet",
		"10.5.34.0-024":                  "not an ipv4 subnet",
		"10.5.34.0-+24":                  "not an ipv4 subnet",
		"010.5.34.0-24":                  "not an ipv4 subnet",
		"10.5.34.0-33":                   "not an ipv4 subnet",
		"10.5.34.0-32":                   "from 1 to 31", // flannel reads five bits
		"0.0.0.0-0":                      "from 1 to 31",
		"10.5.34.1-24":                   "host bits set: the subnet is 10.5.34.0/24",
		"fc00::-64":                      "not an ipv4 subnet",
		"0.0.0.0-0&":                     "not of the form fc00:5:0:1b::-64",
		"0.0.0.0-0&10.5.34.0-24":         "not an ipv6 subnet",
		"0.0.0.0-0&fc00::-128":           "from 1 to 127",
		"0.0.0.0-0&::-0":                 "from 1 to 127",
		"0.0.0.0-0&FC00::-64":            "not an ipv6 subnet",
		"0.0.0.0-0&fc00:0::-64":          "not an ipv6 subnet",
		"0.0.0.0-0&fc00::1-64":           "host bits set",
		"0.0.0.0-0&::ffff:10.0.0.0-104":  "not an ipv6 subnet",
		"0.0.0.0-0&fe80::%eth0-64":       "not an ipv6 subnet",
		"10.5.34.0-24&fc00::-64&fc01::-": "not an ipv6 subnet",
		"x10.5.34.0-24":                  "not an ipv4 subnet",
	} {
		got, err := ParseKey(key)
		if err == nil {
			t.Errorf("ParseKey(%q) = %v, want an error", key, got)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("ParseKey(%q): %v; want it to say %q", key, err, want)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"10.5.34.0-24", "10.5.34.0-24&fc00:5:0:1b::-64", "0.0.0.0-0&fc00::-64", "0.0.0.0-0", "&", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		subnets, err := ParseKey(key)
		if err != nil {
			return
		}
		if got := Key(subnets); got != key {
			t.Errorf("Key(ParseKey(%q)) = %q", key, got)
		}
	})
}
