package lease

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseHost(t *testing.T) {
	want := Host{Lease: "10.5.1.0-24", Name: "h1", Version: "1.2.3", OnLink: []netip.Prefix{netip.MustParsePrefix("10.4.7.0/24")}, MTU: 1500}
	doc, err := MarshalHost(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseHost(want.Lease, doc); err != nil || !got.Equal(want) {
		t.Errorf("ParseHost(%s) = %+v, %v, want %+v", doc, got, err, want)
	}
	for _, bad := range []string{
		``, `[]`, `{}`, `{"hostname": 1}`, `{"hostname": "a", "mtu": -1}`, `{"hostname": "a", "mtu": 70000}`,
		`{"hostname": "a", "onLink": ["10.4.7.0"]}`, `{"hostname": "a", "onLink": [""]}`,
		`{"hostname": "` + strings.Repeat("a", 300) + `"}`, `{"hostname": "a", "other": "` + strings.Repeat("a", 5000) + `"}`,
	} {
		if got, err := ParseHost("10.5.1.0-24", []byte(bad)); err == nil {
			t.Errorf("ParseHost(%.60s) = %+v, want an error", bad, got)
		}
	}
}
