package netstate

import (
	"cmp"
	"fmt"
	"net/netip"
)

// Addr is an address on one of our devices, identified by device and prefix.
type Addr struct {
	Prefix netip.Prefix // not masked
	Dev    string
}

func (a Addr) Compare(o Addr) int {
	return cmp.Or(cmp.Compare(a.Dev, o.Dev), comparePrefix(a.Prefix, o.Prefix))
}

// String renders e.g. "addr 172.7.21.0/32 dev flannel.1".
func (a Addr) String() string { return fmt.Sprintf("addr %s dev %s", a.Prefix, a.Dev) }

func comparePrefix(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return cmp.Compare(a.Bits(), b.Bits())
}
