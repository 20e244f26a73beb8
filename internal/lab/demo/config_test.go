package demo_test

import (
	"testing"

	"github.com/weft-net/weft/internal/lab/demo"
	"github.com/weft-net/weft/internal/netconf"
)

// Every choice is a config that weft takes as it is meant.
func TestDocumentsAreValid(t *testing.T) {
	ranges := map[demo.Family]int{demo.IPv4: 1, demo.IPv6: 1, demo.Dual: 2}
	for _, backend := range demo.Backends {
		for _, family := range demo.Families {
			c := demo.Config{Backend: backend, Family: family}
			document, err := c.Document()
			if err != nil {
				t.Fatal(err)
			}
			network, err := netconf.Parse(document)
			if err != nil {
				t.Errorf("%+v: %v", c, err)
				continue
			}
			direct := backend == demo.VXLANDirect
			if len(network.Ranges) != ranges[family] || len(network.Unknown) != 0 || network.Backend.VXLAN.DirectRouting != direct {
				t.Errorf("%+v means %+v", c, network)
			}
			if err := c.Topology().Validate(); err != nil {
				t.Errorf("%+v: %v", c, err)
			}
		}
	}
}

func TestUnknownChoicesAreRefused(t *testing.T) {
	for _, c := range []demo.Config{{Backend: "token-ring", Family: demo.IPv4}, {Backend: demo.VXLAN, Family: "ipx"}} {
		if _, err := c.Document(); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}
