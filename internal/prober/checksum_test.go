package prober

import (
	"testing"
	"time"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/probe"
)

const tunnel = `{"Network":"10.0.0.0/8","Backend":{"Type":"vxlan"}}`

func TestChecksumsAreTried(t *testing.T) {
	w := &wire{rtt: time.Millisecond, wrong: true}
	run(t, w, func(p *Prober, _ *journal) {
		p.Updates.Put(update(t, tunnel))
		time.Sleep(30 * time.Second)
		found := (<-p.Findings).Checksums
		if len(found) != 1 || found[0].Peer != subnet || !found[0].UDP || !found[0].TCP || found[0].Uplink != "eth0" {
			t.Errorf("%+v", found)
		}
		if r := p.Checksums(); len(r) != 1 || r[0].State != probe.Wrong {
			t.Errorf("%+v", r)
		}
		w.change(func() { w.wrong = false })
		time.Sleep(time.Minute)
		if r := p.Checksums(); len(r) != 1 || r[0].State != probe.Sound {
			t.Errorf("%+v", r)
		}
		w.change(func() {
			for _, one := range w.tried {
				if one.Dev != "flannel.1" || one.MAC != (netstate.MAC{10, 0, 0, 0, 0, 0x24}) || one.Dest != subnet.Addr() {
					t.Errorf("%+v", one)
				}
			}
		})
	})
}
