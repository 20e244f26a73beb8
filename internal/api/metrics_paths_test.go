package api_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/api"
)

// TestPathMetrics has many peers, of whom only the worst may have series of their own.
func TestPathMetrics(t *testing.T) {
	s := sample()
	s.Peers = nil
	for i := range 40 {
		subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 7, byte(i), 0}), 24)
		p := api.Path{Subnet: subnet, Kind: "vxlan", Reach: api.Reach{State: api.ReachPasses, RTT: time.Duration(i+1) * time.Millisecond}}
		peer := api.Peer{Name: fmt.Sprintf("h%d", i), Subnets: []netip.Prefix{subnet}}
		switch i {
		case 3:
			p.Reach.State, p.Reach.Loss, p.Reach.RTT = api.ReachLost, 1, 0
		case 4:
			p.Reach.Loss = 0.56
		case 5:
			p.Reach = api.Reach{State: api.ReachUnmeasured}
		case 6:
			p.Reach = api.Reach{} // not probed
		case 7:
			peer.Others = []api.Path{{Subnet: subnet, Kind: "direct", Reach: api.Reach{State: api.ReachLost}}}
		case 8:
			p.Reach.MTU = 1400
		case 9:
			p.Reach.MTU = 1352
		case 10:
			p.Kind = "none"
		}
		peer.Paths = []api.Path{p}
		s.Peers = append(s.Peers, peer)
	}
	_, body := get(t, startHealth(t, &twin{status: s})+"/metrics")
	for _, line := range []string{
		`weft_paths{path="vxlan",state="passes"} 36`,
		`weft_paths{path="vxlan",state="lost"} 1`,
		`weft_paths{path="vxlan",state="unmeasured"} 2`,
		`weft_paths{path="direct",state="passes"} 0`,
		`weft_fallbacks 1`,
		`weft_paths_narrow 2`,
		`weft_path_mtu_least_bytes 1352`,
		`weft_path_rtt_seconds{quantile="1"} 0.04`,
		`weft_path_worst_loss_ratio{path="vxlan",peer="h3",subnet="172.7.3.0/24"} 1`,
		`weft_path_worst_loss_ratio{path="vxlan",peer="h4",subnet="172.7.4.0/24"} 0.56`,
		`weft_path_worst_rtt_seconds{path="vxlan",peer="h35",subnet="172.7.35.0/24"} 0.036`,
	} {
		if !strings.Contains(body, "\n"+line+"\n") {
			t.Errorf("/metrics has no line %q", line)
		}
	}
	for _, name := range []string{"weft_path_worst_loss_ratio{", "weft_path_worst_rtt_seconds{"} {
		if n := strings.Count(body, "\n"+name); n > 5 {
			t.Errorf("%d series of %s", n, name)
		}
	}
	var loss float64
	if _, err := fmt.Sscanf(body[strings.Index(body, "\nweft_path_loss_ratio ")+1:], "weft_path_loss_ratio %g", &loss); err != nil || loss < 0.042 || loss > 0.0422 {
		t.Errorf("the loss over 37 paths is %v, %v", loss, err)
	}
}

// TestNoPathMetrics has no peer that is probed.
func TestNoPathMetrics(t *testing.T) {
	_, body := get(t, startHealth(t, &twin{status: api.Status{}})+"/metrics")
	for _, name := range []string{"weft_path_loss_ratio", "weft_path_rtt_seconds", "weft_path_mtu_least_bytes"} {
		if strings.Contains(body, "\n"+name) {
			t.Errorf("/metrics has %s without a peer", name)
		}
	}
	if !strings.Contains(body, "\nweft_fallbacks 0\n") {
		t.Error("/metrics does not say that no path is another than the preferred one")
	}
}
