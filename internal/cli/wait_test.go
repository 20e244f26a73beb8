package cli

import (
	"net/netip"
	"testing"

	"github.com/weft-net/weft/internal/api"
)

func TestWaitConditions(t *testing.T) {
	subnet := netip.MustParsePrefix("10.5.2.0/24")
	peer := api.Peer{
		Name: "h2", Subnets: []netip.Prefix{subnet}, Public: []netip.Addr{netip.MustParseAddr("192.0.2.2")},
		Paths: []api.Path{{Subnet: subnet, Kind: "vxlan"}},
	}
	cut, ill := peer, peer
	cut.Paths = nil
	ill.Paths, ill.Problem = nil, "outside the network\nsee there"
	with := func(p api.Peer) api.Status { return api.Status{Peers: []api.Peer{p}} }
	for name, test := range map[string]struct {
		met  condition
		s    api.Status
		want string
	}{
		"ready":            {isReady, api.Status{Ready: true, State: api.StateDegraded}, ""},
		"not ready":        {isReady, api.Status{NotReady: "no lease yet"}, "not ready: no lease yet"},
		"peer by name":     {reaches("h2"), with(peer), ""},
		"peer by subnet":   {reaches("10.5.2.0/24"), with(peer), ""},
		"peer by address":  {reaches("192.0.2.2"), with(peer), ""},
		"no such peer":     {reaches("h3"), with(peer), "no peer has the name, subnet or address h3"},
		"no path":          {reaches("h2"), with(cut), "no path to 10.5.2.0/24"},
		"problem":          {reaches("h2"), with(ill), "no path to 10.5.2.0/24: outside the network ..."},
		"switched":         {hasSwitched(7), api.Status{Revision: 7, Change: api.Change{Done: 3, Total: 3}}, ""},
		"config not seen":  {hasSwitched(8), api.Status{Revision: 7}, "the agent has not seen the stored config yet"},
		"hosts to switch":  {hasSwitched(7), api.Status{Revision: 9, Change: api.Change{Done: 1, Total: 3}}, "1 of 3 hosts have switched"},
		"a host by name":   {hasSwitched(7), api.Status{Revision: 9, Change: api.Change{Done: 1, Total: 2, Behind: []api.Behind{{Name: "h3", Advertises: "host-gw"}}}}, "1 of 2 hosts have switched; not yet: h3 (host-gw)"},
		"accepts a former": {hasSwitched(7), api.Status{Revision: 9, Change: api.Change{Done: 3, Total: 3, Former: []string{"vxlan VNI 1"}}}, "3 of 3 hosts have switched; still accepting vxlan VNI 1 until all hosts have switched"},
	} {
		if got := test.met(test.s); got != test.want {
			t.Errorf("%s: the reason is %q, want %q", name, got, test.want)
		}
	}
}
