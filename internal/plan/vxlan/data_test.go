package vxlan

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
)

func TestDataReadsBack(t *testing.T) {
	d := Data{VNI: 77, MAC: netstate.MAC{0x32, 0x11, 0xd5, 0xcd, 0x3b, 0xc9}}
	if text := string(d.Marshal()); text != `{"VNI":77,"VtepMAC":"32:11:d5:cd:3b:c9"}` {
		t.Error(text)
	}
	for _, text := range []string{
		string(d.Marshal()),
		`{"VtepMAC":"32:11:D5:CD:3B:C9","VNI":77}`,
		` {"VNI": 77, "VtepMAC": "32:11:d5:cd:3b:c9", "More": [1]}`,
	} {
		if got, err := ParseData([]byte(text)); err != nil || got != d {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if got, err := ParseData([]byte(`{"VtepMAC":"32:11:d5:cd:3b:c9"}`)); err != nil || got.VNI != 1 {
		t.Error("without VNI:", got, err)
	}
}

func TestDataRefused(t *testing.T) {
	for text, why := range map[string]string{
		"":                       "no backend data",
		"null":                   "VtepMAC",
		`{"VNI":1,"VtepMAC":""}`: "Ethernet",
		`{"VNI":1,"VtepMAC":"01:00:5e:00:00:01"}`: "unicast",
		`{"VNI":1,"VtepMAC":"00:00:00:00:00:00"}`: "unicast",
		`{"VNI":1,"VtepMAC":"32-11-d5:cd:3b:cg"}`: "Ethernet",
		`"text"`: "form",
		`{"VNI":-1,"VtepMAC":"32:11:d5:cd:3b:c9"}`: "form",
	} {
		if _, err := ParseData([]byte(text)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: error %v does not say %q", text, err, why)
		}
	}
}

func TestDerivedMACs(t *testing.T) {
	a := DeriveMAC("host a", netconf.V4, 1)
	if a != DeriveMAC("host a", netconf.V4, 1) {
		t.Error("not the same twice")
	}
	for _, other := range []netstate.MAC{DeriveMAC("host b", netconf.V4, 1), DeriveMAC("host a", netconf.V6, 1), DeriveMAC("host a", netconf.V4, 2)} {
		if other == a {
			t.Error("another host, family or VNI has the same address", a)
		}
	}
	if !a.IsUnicast() || a[0]&2 == 0 {
		t.Error(a, "is not unicast and locally administered")
	}
}

// FuzzParseData checks that the quick reader and the general one agree.
func FuzzParseData(f *testing.F) {
	f.Add(`{"VNI":1,"VtepMAC":"32:11:d5:cd:3b:c9"}`)
	f.Add(`{"VNI":01,"VtepMAC":"32:11:d5:cd:3b:c9"}`)
	f.Fuzz(func(t *testing.T, text string) {
		quick, ok := scan([]byte(text))
		if !ok {
			_, _ = ParseData([]byte(text))
			return
		}
		if !json.Valid([]byte(text)) {
			return // an odd number such as 01: harmless, the store holds valid JSON only
		}
		general, err := decode([]byte(text))
		if err != nil || quick != general {
			t.Errorf("%q: %v and %v, %v", text, quick, general, err)
		}
	})
}
