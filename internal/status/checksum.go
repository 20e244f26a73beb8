package status

import (
	"slices"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/probe"
)

// addChecksums adds for each tunnel of this host what is known of the checksums of
// packets that leave by it.
func (b *Board) addChecksums(s *api.Status, in plan.Input, desired *netstate.State) {
	if b.opts.Checksums == nil || desired == nil {
		return
	}
	reports := b.opts.Checksums()
	for l := range desired.Links.All() {
		f := netconf.FamilyOf(l.Local)
		c := api.Checksum{Device: l.Name, State: api.ChecksumUntested}
		if i := slices.IndexFunc(reports, func(r probe.ChecksumReport) bool { return r.Family == f }); i >= 0 {
			c.Tested, c.Arrive = reports[i].Tried, reports[i].State == probe.Sound
			if c.Arrive {
				c.State = api.ChecksumSound
			}
		}
		if desired.Offloads.Has(netstate.Offload{Dev: l.Name}) {
			c.State = api.ChecksumBroken
			i := slices.IndexFunc(in.Checksums, func(c plan.Checksum) bool { return c.Family == f })
			if i >= 0 {
				found := in.Checksums[i]
				c.Peer, c.Protocols, c.Since = found.Peer, found.Protocols(), found.Since
			}
		}
		s.Checksums = append(s.Checksums, c)
	}
}
