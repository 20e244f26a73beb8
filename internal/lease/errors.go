package lease

import (
	"errors"
	"fmt"
	"net/netip"
)

// ErrExhausted says that every subnet of the network is leased, reserved or
// to be avoided. It may pass: a lease may run out.
var ErrExhausted = errors.New("no free subnet is left in the network")

// AddressTakenError refuses a claim because another host already announces
// its public address.
type AddressTakenError struct {
	Addr   netip.Addr
	Holder Owner          // as recorded beside the lease
	Held   []netip.Prefix // the holder's subnets
}

// Error names the address, the holder and the way out.
func (e *AddressTakenError) Error() string {
	who := e.Holder.Hostname
	if who == "" {
		who = "another host"
	}
	return fmt.Sprintf("public address %s is already announced by %s for subnet %s; give this host another one with --public-ip, or free it with 'weft lease release %s'",
		e.Addr, who, FormatSubnets(e.Held), Key(e.Held))
}
