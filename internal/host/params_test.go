package host

import (
	"context"
	"maps"
	"strings"
	"testing"
)

// tuned is a system with kernel parameters.
type tuned struct {
	fixed
	params Params
}

func (t tuned) Params(_ context.Context, names []string) (Params, error) {
	out := Params{}
	for _, name := range names {
		if value, ok := t.params[name]; ok {
			out[name] = value
		}
	}
	return out, nil
}

// TestParamsAreThoseOfTheWay gives a host parameters of devices that packets of
// the network come by, and of others.
func TestParamsAreThoseOfTheWay(t *testing.T) {
	sys := tuned{fixed: fixed{
		ifaces: []Interface{
			iface("lo", "127.0.0.1/8"), iface("eth0", "10.4.7.21/24", "fd07::21/64 dynamic"), iface("eth1", "192.168.1.5/24"),
			iface("cni0", "10.5.21.1/24", "fd05:0:0:15::1/64"),
		},
		routes: routes("default via 10.4.7.1 dev eth0", "default6 via fe80::1 dev eth0 ra"),
	}}
	want := Params{
		"net/ipv4/ip_forward": "0", "net/ipv4/conf/default/forwarding": "0", "net/ipv4/conf/eth0/forwarding": "0",
		"net/ipv4/conf/cni0/forwarding": "0", "net/ipv4/conf/all/rp_filter": "1", "net/ipv4/conf/eth0/rp_filter": "0",
		"net/ipv6/conf/all/forwarding": "0", "net/ipv6/conf/eth0/accept_ra": "1", "net/ipv6/conf/cni0/disable_ipv6": "1",
		ConnLimit: "100",
	}
	sys.params = maps.Clone(want)
	sys.params["net/ipv4/conf/eth1/rp_filter"] = "1"
	sys.params["net/ipv6/conf/eth1/accept_ra"] = "1"
	sys.params[connCount] = "99"
	got, err := Choose(t.Context(), sys, Options{}, networks, Uplink{})
	if err != nil || !maps.Equal(got.Params, want) {
		t.Errorf("%v, want %v; %v", got.Params, want, err)
	}
	if len(got.Bridges) != 1 || got.Bridges[0].Name != "cni0" || len(got.Bridges[0].Addrs) != 2 {
		t.Errorf("bridges: %+v", got.Bridges)
	}
	sys.params[connCount] = "10"
	if got, err = Choose(t.Context(), sys, Options{}, networks, Uplink{}); err != nil || got.Params[ConnLimit] != "" {
		t.Errorf("%v; %v", got.Params, err)
	}
}

func TestRefusalSaysWhereIPv6IsDisabled(t *testing.T) {
	const name = "net/ipv6/conf/eth0.5/disable_ipv6"
	sys := tuned{params: Params{name: "1", "net/ipv6/conf/lo/disable_ipv6": "1"}}
	sys.ifaces = []Interface{iface("lo", "127.0.0.1/8"), iface("eth0.5", "10.4.7.21/24"), iface("eth1")}
	sys.routes = routes("default via 10.4.7.1 dev eth0.5")
	_, err := Choose(t.Context(), sys, Options{}, networks, Uplink{})
	if err == nil || strings.Count(err.Error(), "sysctl -w") != 1 || !strings.Contains(err.Error(), "sysctl -w "+name+"=0") {
		t.Error(err)
	}
}
