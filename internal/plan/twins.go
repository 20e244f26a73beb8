package plan

import (
	"bytes"
	"fmt"
	"net/netip"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
)

// twins tells of peers that announce an address as another does, and are
// otherwise not alike: a host whose former lease drains says the same in both.
// Which of the two lies nobody can tell, and so both are sent to.
func twins(f netconf.Family, peers []peer) []Problem {
	var problems []Problem
	first := make(map[netip.Addr]*peer, len(peers))
	for i := range peers {
		p := &peers[i]
		a, ok := p.PublicAddr(f)
		if !ok {
			continue
		}
		o := first[a]
		switch {
		case o == nil:
			first[a] = p
		case o.Backend != p.Backend || !bytes.Equal(o.Data[f], p.Data[f]):
			problems = append(problems, p.problem(fmt.Errorf("announces %s, as %s does, but as another kind of host", a, lease.FormatSubnets(o.Subnets))))
		}
	}
	return problems
}
