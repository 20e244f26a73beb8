package wireguard

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/netconf"
)

// TestPeerPort: the port on which a host listens, by what weft and flannel announce.
func TestPeerPort(t *testing.T) {
	said := func(port int) json.RawMessage {
		if port < 0 {
			return nil
		}
		return fmt.Appendf(nil, `{"PublicKey":"%sYWE=","Port":%d}`, strings.Repeat("YWFh", 10), port)
	}
	conf := netconf.WireGuard{ListenPort: 51820, ListenPortV6: 51821}
	for _, c := range []struct {
		mode   netconf.Mode
		family netconf.Family
		v4, v6 int // announced; -1: no data
		want   uint16
	}{
		{netconf.Separate, netconf.V4, 6000, 6001, 6000},
		{netconf.Separate, netconf.V6, 6000, 6001, 6001},
		{netconf.Separate, netconf.V6, -1, 51821, 51821},
		{netconf.Separate, netconf.V6, 0, 0, 51821},
		{netconf.Auto, netconf.V4, 0, 0, 51820},
		{netconf.Auto, netconf.V4, 51820, 51820, 51820},   // weft
		{netconf.Auto, netconf.V6, 51820, 51821, 51820},   // flannel
		{netconf.OnlyV6, netconf.V4, 51820, 51821, 51820}, // flannel
		{netconf.OnlyV6, netconf.V6, -1, 51821, 51820},    // flannel without IPv4
		{netconf.OnlyV6, netconf.V6, -1, 51820, 51820},    // weft without IPv4
		{netconf.OnlyV6, netconf.V6, -1, 6000, 6000},
		{netconf.Auto, netconf.V6, 6000, 51821, 6000}, // flannel that has not been restarted
	} {
		conf.Mode = c.mode
		of := func(f netconf.Family) json.RawMessage {
			if f == netconf.V6 {
				return said(c.v6)
			}
			return said(c.v4)
		}
		if got := PeerPort(conf, c.family, of); got != c.want {
			t.Errorf("mode %s, IPv%d, announced %d and %d: %d, want %d", c.mode, c.family, c.v4, c.v6, got, c.want)
		}
	}
}
