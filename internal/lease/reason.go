package lease

// Reason says where a choice's subnets come from.
type Reason uint8

// The reasons, in the order in which they are tried.
const (
	ReasonOwn       Reason = iota // a lease recorded as the claimant's
	ReasonAdopted                 // a lease without a record that announces the claimant's address
	ReasonReserved                // a reservation without an owner, of a preferred subnet
	ReasonPreferred               // Claim.Preferred
	ReasonFree                    // picked out of the free ones
)

// String returns words for a log line: "own lease".
func (r Reason) String() string {
	switch r {
	case ReasonOwn:
		return "own lease"
	case ReasonAdopted:
		return "adopted lease"
	case ReasonReserved:
		return "reserved subnet"
	case ReasonPreferred:
		return "preferred subnet"
	}
	return "free subnet"
}

// MarshalText makes logs in JSON carry the words, too.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
