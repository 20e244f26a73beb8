package netstate

import "strings"

// Offload says that the kernel completes the checksums of what leaves by a
// device itself, instead of leaving that to the hardware that sends the packet:
// tx-checksumming is off (ethtool(8)). It is on where there is no such row. A row
// that is no longer wanted stays until its device goes: an operator may have
// turned it off.
type Offload struct{ Dev string }

func (o Offload) Compare(p Offload) int { return strings.Compare(o.Dev, p.Dev) }

// String renders "offload flannel.1 tx-checksumming off".
func (o Offload) String() string { return "offload " + o.Dev + " " + txChecksumming + " off" }

// txChecksumming is ethtool's word for it.
const txChecksumming = "tx-checksumming"
