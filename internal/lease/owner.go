package lease

import "slices"

// Owner identifies a host across changes of its addresses, and the agent that
// runs on it. It is stored in a key of weft's own beside the lease, never in
// flannel's value. Fields that records of older agents lack are empty there.
type Owner struct {
	ID       string `json:"id"`                // random, kept in the state directory
	Hostname string `json:"hostname"`          // for messages, and together with Machine to know a host whose state directory is gone
	Machine  string `json:"machine,omitempty"` // hash of the machine id, if the host has one
	Product  string `json:"product,omitempty"` // hash of the hardware's or the virtual machine's UUID, if it can be read
	Boot     string `json:"boot,omitempty"`    // another one after each boot, and on each machine and in each network namespace
	Session  string `json:"session,omitempty"` // random, made at each start of the agent
}

// Name is the hostname for messages.
func (o Owner) Name() string {
	if o.Hostname == "" {
		return "another host"
	}
	return o.Hostname
}

// relation is what a lease's record says about a claimant.
type relation uint8

const (
	stranger  relation = iota // another host's, with another address
	own                       // the claimant's: of its session, of an earlier one, or of a host that is gone
	contested                 // maybe the claimant's, maybe an agent's that runs: to be asked
	refused                   // another host's with the claimant's address, which cannot be asked
)

// relate compares the record o of a lease with the claimant; shared says that
// the lease announces one of the claimant's addresses.
//
// A copied machine has the id, hostname and machine id of its original, often
// its product UUID, but never runs in the same boot. So a record of the same
// boot is of an agent that was here before and has ended, unless the claimant's
// session has had the lease since: two agents would take it from each other.
func (c Claim) relate(o Owner, shared bool) relation {
	known := c.knows(o, shared)
	switch {
	case !known && !shared:
		return stranger
	case slices.Contains(c.Ended, o):
		return own
	case o.Session == "" || c.Session == "":
		// An agent of an older version does not answer.
		if known {
			return own
		}
		return refused
	case known && (o.Session == c.Session || o.Boot != "" && o.Boot == c.Boot && !c.Held):
		return own
	}
	return contested
}

// knows reports whether o names the claimant's host: by its id, or, if the
// state directory was lost, by address, hostname and machine id.
func (c Claim) knows(o Owner, shared bool) bool {
	return c.ID != "" && o.ID == c.ID || shared && sameHost(o, c.Owner)
}

// sameHost reports whether two records are of one host, although their IDs may
// differ because its state directory was lost.
func sameHost(a, b Owner) bool {
	return a.Hostname != "" && a.Hostname == b.Hostname && a.Machine == b.Machine
}
