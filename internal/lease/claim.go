package lease

import (
	"net/netip"

	"github.com/weft-net/weft/internal/netconf"
)

// Claim says who asks for a lease and what it would like.
type Claim struct {
	Owner
	Attrs                        // what the lease will announce
	Host      Host               // what to say of the host beside a new lease
	Preferred []netip.Prefix     // from an old subnet.env or a copy of the last lease; chosen when free and fitting
	Avoid     []netip.Prefix     // networks that the claimant is attached to: a subnet that overlaps one is never chosen
	Local     []netip.Prefix     // networks of the claimant's containers: a free subnet that overlaps one is picked only if there is no other
	Former    []netconf.Previous // of earlier configs, in which the claimant may have leases that drain

	// The rest is the store's to set, not the claimant's.

	Held  bool    // the claimant's session has had a lease: a record of another session need not be of an earlier one
	Ended []Owner // recorded agents that are known to have ended
}
