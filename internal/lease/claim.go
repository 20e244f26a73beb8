package lease

import (
	"net/netip"

	"github.com/weft-net/weft/internal/netconf"
)

// Claim says who asks for a lease and what it would like.
type Claim struct {
	Owner
	Attrs                    // what the lease will announce
	Preferred []netip.Prefix // from an old subnet.env or a copy of the last lease; taken when free and fitting
	Avoid     []netip.Prefix // prefixes of the uplink: a subnet that overlaps one is never chosen
	Former    []netconf.Past // of earlier configs, in which the claimant may have leases that drain
}

// Owner identifies a host across changes of its addresses. It is stored in a
// key of weft's own beside the lease, never in flannel's value.
type Owner struct {
	ID       string `json:"id"`                // random, kept in the state directory
	Hostname string `json:"hostname"`          // for messages, and together with Machine to know a host whose state directory is gone
	Machine  string `json:"machine,omitempty"` // hash of the machine id, if the host has one
}
