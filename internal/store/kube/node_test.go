package kube

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weft-net/weft/internal/lease"
)

var equateAddrs = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

const (
	mac4 = `{"VNI":1,"VtepMAC":"ee:d7:5f:67:71:11"}`
	mac6 = `{"VNI":1,"VtepMAC":"72:c5:6b:da:dd:82"}`
)

func TestAnnotationNames(t *testing.T) {
	for prefix, want := range map[string]string{
		"flannel.alpha.coreos.com": "flannel.alpha.coreos.com/public-ip",
		"example.com/":             "example.com/public-ip",
		"example.com/blue":         "example.com/blue-public-ip",
		"example.com/blue-":        "example.com/blue-public-ip",
	} {
		k, err := newAnnotationKeys(prefix)
		if err != nil || k[annPublic] != want {
			t.Errorf("%q: %q, %v; want %q", prefix, k[annPublic], err, want)
		}
	}
	for _, prefix := range []string{"", "/", "blue", "example.com/blue/green", "Example.com", "example.com/Blue", "a b.com", "/blue"} {
		if k, err := newAnnotationKeys(prefix); err == nil {
			t.Errorf("%q is taken, as %q", prefix, k[annPublic])
		}
	}
}

// nodeWith is a node with an agent's annotations, changed by others.
func nodeWith(cidrs string, set map[annotation]string) node {
	n := node{name: "n", cidrs: cidrs, annotations: annotations{annManaged: "true", annType: "vxlan", annData: mac4, annPublic: "192.0.2.1"}}
	for i, v := range set {
		n.annotations[i] = v
	}
	return n
}

func TestNodeToLease(t *testing.T) {
	v4 := lease.Attrs{Public: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Backend: "vxlan", Data: lease.Data{V4: json.RawMessage(mac4)}}
	both := lease.Attrs{
		Public: append(slices.Clone(v4.Public), netip.MustParseAddr("2001:db8::1")), Backend: "vxlan",
		Data: lease.Data{V4: json.RawMessage(mac4), V6: json.RawMessage(mac6)},
	}
	six := map[annotation]string{annPublic6: "2001:db8::1", annData6: mac6}
	for name, c := range map[string]struct {
		node    node
		subnets string
		attrs   lease.Attrs
	}{
		"IPv4":                         {nodeWith("10.5.1.0/24", nil), "10.5.1.0/24", v4},
		"dual stack":                   {nodeWith("10.5.1.0/24,fc00:5:0:1::/64", six), "10.5.1.0/24, fc00:5:0:1::/64", both},
		"dual stack, IPv6 first":       {nodeWith("fc00:5:0:1::/64,10.5.1.0/24", six), "10.5.1.0/24, fc00:5:0:1::/64", both},
		"a family without an address":  {nodeWith("10.5.1.0/24,fc00:5:0:1::/64", nil), "10.5.1.0/24", v4},
		"an address without a PodCIDR": {nodeWith("10.5.1.0/24", six), "10.5.1.0/24", both},
		"host bits":                    {nodeWith("10.5.1.7/24", nil), "10.5.1.0/24", v4},
		"any length":                   {nodeWith("10.5.1.64/26", nil), "10.5.1.64/26", v4},
		"no data": {
			nodeWith("10.5.1.0/24", map[annotation]string{annType: "host-gw", annData: "null", annData6: " "}),
			"10.5.1.0/24", lease.Attrs{Public: v4.Public, Backend: "host-gw"},
		},
		"unspecified IPv6": {nodeWith("10.5.1.0/24", map[annotation]string{annPublic6: "::"}), "10.5.1.0/24", v4},
	} {
		l, err := c.node.lease()
		if err != nil || lease.FormatSubnets(l.Subnets) != c.subnets {
			t.Errorf("%s: %v, %v; want %s", name, l.Subnets, err, c.subnets)
		}
		if d := cmp.Diff(c.attrs, l.Attrs, equateAddrs); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestBrokenNodesSayWhy(t *testing.T) {
	for name, c := range map[string]struct {
		node node
		want string
	}{
		"no PodCIDR":         {nodeWith("", nil), "no PodCIDR"},
		"PodCIDR rubbish":    {nodeWith("rubbish", nil), `"rubbish" is not a subnet`},
		"two of one family":  {nodeWith("10.5.1.0/24,10.5.2.0/24", nil), "one subnet for each family"},
		"PodCIDR of one":     {nodeWith("10.5.1.1/32", nil), "room for hosts"},
		"no address":         {nodeWith("10.5.1.0/24", map[annotation]string{annPublic: ""}), "announces no address"},
		"address rubbish":    {nodeWith("10.5.1.0/24", map[annotation]string{annPublic: "x"}), `public-ip "x" is not an ipv4 address`},
		"address of a group": {nodeWith("10.5.1.0/24", map[annotation]string{annPublic: "224.0.0.1"}), "not the address of one host"},
		"the wrong family":   {nodeWith("10.5.1.0/24", map[annotation]string{annPublic6: "192.0.2.1"}), "public-ipv6"},
		"data rubbish":       {nodeWith("10.5.1.0/24", map[annotation]string{annData: "{"}), "backend-data"},
		"odd backend":        {nodeWith("10.5.1.0/24", map[annotation]string{annType: "two words"}), "not the name of a backend"},
	} {
		if _, err := c.node.lease(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestWrittenIsReadBack(t *testing.T) {
	a := lease.Attrs{
		Public:  []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
		Backend: "vxlan", Data: lease.Data{V4: json.RawMessage(mac4), V6: json.RawMessage(mac6)},
	}
	n := node{name: "n", cidrs: "10.5.1.0/24,fc00:5:0:1::/64", annotations: annotations{annNode: "192.0.2.9", annManaged: "false", annData: "old"}}
	var err error
	if n.annotations, err = n.written(a); err != nil {
		t.Fatal(err)
	}
	l, err := n.lease()
	if err != nil || !n.joined() || n.annotations[annNode] != "192.0.2.9" {
		t.Errorf("lease %v, %v; annotations %q", l, err, n.annotations)
	}
	if d := cmp.Diff(a, l.Attrs, equateAddrs); d != "" {
		t.Errorf("(-written +read):\n%s", d)
	}
	if again, _ := n.written(a); again != n.annotations {
		t.Errorf("written again it differs: %q", again)
	}
}

func TestOverwriteIsAnnounced(t *testing.T) {
	a := lease.Attrs{Public: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Backend: "host-gw"}
	n := node{annotations: annotations{annOverwrite: "198.51.100.7", annOverwrite6: "2001:db8::7"}}
	got, err := n.written(a)
	want := annotations{annManaged: "true", annType: "host-gw", annData: "null", annPublic: "198.51.100.7", annOverwrite: "198.51.100.7", annOverwrite6: "2001:db8::7"}
	if err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
	n.annotations[annOverwrite] = "rubbish"
	if _, err := n.written(a); err == nil || !strings.Contains(err.Error(), "public-ip-overwrite") {
		t.Errorf("a broken overwrite: %v", err)
	}
}

// FuzzNode holds that no annotation makes a lease that no store would take.
func FuzzNode(f *testing.F) {
	f.Add("10.5.1.0/24,fc00:5:0:1::/64", "vxlan", mac4, mac6, "192.0.2.1", "2001:db8::1", "")
	f.Add("10.5.1.0/24", "host-gw", "null", "", "192.0.2.1", "", "198.51.100.7")
	f.Add("0.0.0.0/0,", "\x00", "{", "[]", "::ffff:192.0.2.1", "fe80::1%eth0", "x")
	f.Fuzz(func(t *testing.T, cidrs, backend, data, data6, public, public6, over string) {
		n := node{name: "n", cidrs: cidrs, annotations: annotations{"true", backend, public, public6, data, data6, over}}
		l, err := n.lease()
		if err != nil {
			return
		}
		if _, err := lease.ParseKey(lease.Key(l.Subnets)); err != nil {
			t.Errorf("subnets %v: %v", l.Subnets, err)
		}
		if _, err := lease.MarshalAttrs(l.Attrs); err != nil {
			t.Errorf("attributes %v: %v", l.Attrs, err)
		}
		back := node{name: "n", cidrs: cidrs}
		if back.annotations, err = back.written(l.Attrs); err != nil {
			t.Fatal(err)
		}
		again, err := back.lease()
		if d := cmp.Diff(l, again, equateAddrs); err != nil || d != "" {
			t.Errorf("written and read again: %v\n%s", err, d)
		}
	})
}
