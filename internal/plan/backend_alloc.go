package plan

import (
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
)

// allocBackend leases subnets and leaves it to others to carry packets, as a provider's
// routes do.
var allocBackend = backend{
	unnamed: true,
	pathTo: func(in *Input, p *lease.Lease, f netconf.Family) (Path, error) {
		remote, err := in.remote(p, f)
		return Path{Kind: Elsewhere, Remote: remote}, err
	},
}
