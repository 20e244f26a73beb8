package lease

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var equateAddrs = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

func addrs(s ...string) []netip.Addr {
	out := make([]netip.Addr, 0, len(s))
	for _, a := range s {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

const (
	mac4 = `{"VNI":1,"VtepMAC":"ee:d7:5f:67:71:11"}`
	mac6 = `{"VNI":1,"VtepMAC":"72:c5:6b:da:dd:82"}`
)

// The left sides have the bytes that flannel stores.
var values = map[string]Attrs{
	`{"PublicIP":"10.99.0.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":` + mac4 + `}`: {
		Public: addrs("10.99.0.1"), Backend: "vxlan", Data: Data{V4: json.RawMessage(mac4)},
	},
	`{"PublicIP":"10.99.0.1","PublicIPv6":"fc00:99::1","BackendType":"vxlan","BackendData":` + mac4 + `,"BackendV6Data":` + mac6 + `}`: {
		Public: addrs("10.99.0.1", "fc00:99::1"), Backend: "vxlan",
		Data: Data{V4: json.RawMessage(mac4), V6: json.RawMessage(mac6)},
	},
	`{"PublicIP":"0.0.0.0","PublicIPv6":"fc00:99::1","BackendType":"vxlan","BackendV6Data":` + mac6 + `}`: {
		Public: addrs("fc00:99::1"), Backend: "vxlan", Data: Data{V6: json.RawMessage(mac6)},
	},
	`{"PublicIP":"10.99.0.1","PublicIPv6":null,"BackendType":"host-gw"}`:                           {Public: addrs("10.99.0.1"), Backend: "host-gw"},
	`{"PublicIP":"10.99.0.1","PublicIPv6":null}`:                                                   {Public: addrs("10.99.0.1")},
	`{"PublicIP":"0.0.0.0","PublicIPv6":null}`:                                                     {},
	`{"PublicIP":"10.99.0.1","PublicIPv6":null,"BackendType":"extension","BackendData":"a\u003c"}`: {Public: addrs("10.99.0.1"), Backend: "extension", Data: Data{V4: json.RawMessage(`"a\u003c"`)}},
}

func TestAttrsRoundTrip(t *testing.T) {
	for doc, want := range values {
		got, err := ParseAttrs([]byte(doc))
		if err != nil {
			t.Errorf("ParseAttrs(%s): %v", doc, err)
			continue
		}
		if d := cmp.Diff(want, got, equateAddrs); d != "" {
			t.Errorf("ParseAttrs(%s) (-want +got):\n%s", doc, d)
		}
		back, err := MarshalAttrs(want)
		if err != nil || string(back) != doc {
			t.Errorf("MarshalAttrs(%v)\n got %s, %v\nwant %s", want, back, err, doc)
		}
	}
}

func TestParseAttrsTolerates(t *testing.T) {
	plain := Attrs{Public: addrs("10.0.0.1"), Backend: "vxlan"}
	for doc, want := range map[string]Attrs{
		"\n { \"PublicIP\": \"10.0.0.1\", \"BackendType\": \"vxlan\" }\n":     plain,
		`{"publicip":"10.0.0.1","BACKENDTYPE":"vxlan","Colour":{"a":1}}`:      plain,
		`{"PublicIP":"10.0.0.1","PublicIPv6":"::","BackendType":"vxlan"}`:     plain,
		`{"PublicIP":"10.0.0.1","BackendType":"vxlan","BackendData":null}`:    plain,
		`{"PublicIP":"10.0.0.9","PublicIP":"10.0.0.1","BackendType":"vxlan"}`: plain,
		`{"PublicIP":null,"PublicIPv6":"FC00:0::1"}`:                          {Public: addrs("fc00::1")},
		`{}`:                           {},
		`{"BackendData": [ 1 , "<" ]}`: {Data: Data{V4: json.RawMessage(`[1,"\u003c"]`)}},
	} {
		got, err := ParseAttrs([]byte(doc))
		if err != nil {
			t.Errorf("ParseAttrs(%s): %v", doc, err)
		} else if d := cmp.Diff(want, got, equateAddrs); d != "" {
			t.Errorf("ParseAttrs(%s) (-want +got):\n%s", doc, d)
		}
	}
}

func TestParseAttrsRefuses(t *testing.T) {
	for doc, want := range map[string]string{
		``:                               "not a JSON object",
		`null`:                           "not a JSON object",
		`[]`:                             "not a JSON object",
		`10.0.0.1`:                       "not a JSON object",
		`{"PublicIP":"10.0.0.1"`:         "not JSON",
		`{} {}`:                          "not JSON",
		`{"PublicIP":10}`:                "PublicIP is a JSON number, must be a string",
		`{"PublicIPv6":{}}`:              "PublicIPv6 is a JSON object, must be a string",
		`{"BackendType":true}`:           "BackendType is a JSON bool, must be a string",
		`{"BackendType":"a\u001b[31m"}`:  "not the name of a backend",
		`{"PublicIP":""}`:                `PublicIP "" is not an ipv4 address`,
		`{"PublicIP":"10.0.0"}`:          "not an ipv4 address",
		`{"PublicIP":"fc00::1"}`:         "not an ipv4 address",
		`{"PublicIP":"::ffff:10.0.0.1"}`: "not an ipv4 address",
		`{"PublicIPv6":"10.0.0.1"}`:      "not an ipv6 address",
		`{"PublicIPv6":"fe80::1%eth0"}`:  "not an ipv6 address",
		`{"PublicIP":"127.0.0.1"}`:       "not the address of one host",
		`{"PublicIP":"224.0.0.1"}`:       "not the address of one host",
		`{"PublicIP":"255.255.255.255"}`: "not the address of one host",
		`{"PublicIPv6":"::1"}`:           "not the address of one host",
		`{"PublicIPv6":"ff02::1"}`:       "not the address of one host",
	} {
		got, err := ParseAttrs([]byte(doc))
		if err == nil {
			t.Errorf("ParseAttrs(%s) = %v, want an error", doc, got)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("ParseAttrs(%s): %v; want it to say %q", doc, err, want)
		}
	}
}

func TestMarshalAttrsRefuses(t *testing.T) {
	for want, a := range map[string]Attrs{
		"two public addresses":   {Public: addrs("10.0.0.1", "10.0.0.2")},
		"is not a plain":         {Public: addrs("::ffff:10.0.0.1")},
		"fe80::1%eth0":           {Public: addrs("fe80::1%eth0")},
		"0.0.0.0 is not":         {Public: addrs("0.0.0.0")},
		"invalid IP":             {Public: []netip.Addr{{}}},
		"not the name":           {Backend: "two words"},
		`ipv6 backend data "{}}`: {Data: Data{V6: json.RawMessage("{}}")}},
	} {
		doc, err := MarshalAttrs(a)
		if err == nil {
			t.Errorf("MarshalAttrs(%v) = %s, want an error", a, doc)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("MarshalAttrs(%v): %v; want it to say %q", a, err, want)
		}
	}
}

func FuzzParseAttrs(f *testing.F) {
	for doc := range values {
		f.Add([]byte(doc))
	}
	f.Add([]byte(`{"BackendData":{ "a" : "\u2028<>&" }}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		a, err := ParseAttrs(doc)
		if err != nil {
			return
		}
		stored, err := MarshalAttrs(a)
		if err != nil {
			t.Fatalf("MarshalAttrs(ParseAttrs(%q)): %v", doc, err)
		}
		again, err := ParseAttrs(stored)
		if err != nil {
			t.Fatalf("ParseAttrs(%q): %v", stored, err)
		}
		if d := cmp.Diff(a, again, equateAddrs); d != "" {
			t.Errorf("read %q, wrote %q, read again (-first +second):\n%s", doc, stored, d)
		}
	})
}
