package cli

import (
	"testing"

	"github.com/weft-net/weft/internal/owned"
)

// TestNetworkNameTellsCommandLinesApart: flanneld's defaults keep weft's default
// paths; any other prefix or subnet file has a name that a table may have.
func TestNetworkNameTellsCommandLinesApart(t *testing.T) {
	if name := networkName(defaultPrefix, defaultSubnetFile); name != "" {
		t.Errorf("flanneld's defaults are %q", name)
	}
	if name := networkName(defaultPrefix, "/run/flannel/../flannel/subnet.env"); name != "" {
		t.Errorf("the default subnet file in other words is %q", name)
	}
	for path, want := range map[string]string{
		"/atomic.io/network": "io-network", "/coreos.com/network": "com-network", "/a/exactly15letters": "exactly15letters"[1:],
		"/a/fifteenletters1": "fifteenletters1", "/Blue/": "blue", "/é": "network",
	} {
		if got := slug(path); got != want {
			t.Errorf("the slug of %s is %q, want %q", path, got, want)
		}
	}
	seen := map[string]string{}
	for _, args := range [][2]string{
		{"/vxlan/network", "/vxlan.env"},
		{"/vxlan/network", "/hostgw.env"},
		{"/hostgw/network", "/vxlan.env"},
		{defaultPrefix, "/run/flannel/other.env"},
		{"/a/very/long/prefix/of/a/very/large/company/network", defaultSubnetFile},
		{"/Ünïcode_/.", defaultSubnetFile},
	} {
		name := networkName(args[0], args[1])
		if !owned.IsTableName(owned.NamedTable(name)) {
			t.Errorf("%v: no table can have the name %q", args, name)
		}
		if was := seen[name]; was != "" || name == "" {
			t.Errorf("%v and %s have the same name %q", args, was, name)
		}
		seen[name] = args[0] + " " + args[1]
	}
}
