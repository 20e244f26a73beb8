package plan

import (
	"bytes"
	"fmt"
	"net/netip"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
)

// duplicates tells of admitted peers with a duplicate address.
func duplicates(f netconf.Family, peers []*peer) []fault {
	var faults []fault
	first := make(map[netip.Addr]*peer, len(peers))
	for _, p := range peers {
		a, ok := p.PublicAddr(f)
		if !ok {
			continue
		}
		o := first[a]
		if o == nil {
			first[a] = p
		} else if err := duplicate(f, p, o, a); err != nil {
			faults = append(faults, p.fault(f, addressing, err))
		}
	}
	return faults
}

// duplicate returns an error if p announces a as first does, the first peer to
// do so, and they are not alike: a host whose previous subnet drains announces
// the same in both leases. Which of the two lies nobody can tell, and so both
// are sent to.
func duplicate(f netconf.Family, p, first *peer, a netip.Addr) error {
	if first.Backend == p.Backend && bytes.Equal(first.Data.Of(f), p.Data.Of(f)) {
		return nil
	}
	return fmt.Errorf("announces %s, as %s does, but as another kind of host; give one of the hosts another address; %s", a, lease.FormatSubnets(first.Subnets), ifGone(p.Lease))
}
