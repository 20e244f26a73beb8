package cli

import (
	"testing"

	"github.com/weft-net/weft/internal/api"
)

func TestFastPathLine(t *testing.T) {
	for want, f := range map[string]api.FastPath{
		"on, no packets yet":   {Mode: "all"},
		"on, 100 % of packets": {Mode: "all", Fast: 7},
		"on for established connections, 98 % of packets; the others: nat, mtu": {Mode: "established", Fast: 980, Slow: map[string]uint64{"mtu": 5, "nat": 15}},
	} {
		if got := fastPathLine(f); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
