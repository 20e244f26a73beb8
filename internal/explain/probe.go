package explain

import (
	"fmt"
	"time"

	"github.com/weft-net/weft/internal/api"
)

// lastProbe adds what the agent's probes have shown of the path to a peer, if it is probed.
func (t *trace) lastProbe(p api.Peer) bool {
	for _, path := range p.Paths {
		if path.Subnet.Contains(t.packet.dst) && path.Reach.State != "" {
			return t.add(probed(path))
		}
	}
	return true
}

// probed is the station of a path that is probed.
func probed(path api.Path) Station {
	r := path.Reach
	s := Station{Name: "last probe", Object: path.Kind + " to " + path.Subnet.String()}
	switch r.State {
	case api.ReachLost:
		s.State, s.Note = Broken, "not answered since "+r.Since.UTC().Format(time.RFC3339)
		s.Remedy = "packets are lost between the hosts or on the peer's: check that the peer runs and, with a tunnel, that its UDP port is open on the way; run 'weft check' there"
	case api.ReachUnmeasured:
		s.State, s.Note = Unknown, "not answered yet"
	default:
		s.Note = fmt.Sprintf("answered within %s", r.RTT.Round(10*time.Microsecond))
		if r.Loss > 0 {
			s.Note += fmt.Sprintf(", %.0f%% lost", 100*r.Loss)
		}
		if r.MTU > 0 {
			s.State, s.Note = Unknown, s.Note+fmt.Sprintf("; packets of more than %d bytes are lost: lower Backend.MTU", r.MTU)
		}
	}
	return s
}
