package netstate

import (
	"cmp"
	"fmt"
	"net/netip"
)

// Neigh is a permanent neighbour entry on one of our devices, identified by
// device and address: which MAC answers for Addr.
type Neigh struct {
	Addr netip.Addr
	MAC  MAC
	Dev  string
}

func (n Neigh) Compare(o Neigh) int {
	if n.Dev != o.Dev {
		return cmp.Compare(n.Dev, o.Dev)
	}
	return n.Addr.Compare(o.Addr)
}

// String renders e.g. "neigh 172.7.24.0 mac 32:11:d5:cd:3b:c9 dev flannel.1".
func (n Neigh) String() string {
	return fmt.Sprintf("neigh %s mac %s dev %s", n.Addr, n.MAC, n.Dev)
}

// FDB is a permanent forwarding entry of one of our vxlan devices, identified
// by device and MAC: to which host frames for MAC are tunnelled.
type FDB struct {
	MAC MAC
	Dst netip.Addr
	Dev string
}

func (f FDB) Compare(o FDB) int {
	if f.Dev != o.Dev {
		return cmp.Compare(f.Dev, o.Dev)
	}
	return f.MAC.Compare(o.MAC)
}

// String renders e.g. "fdb 32:11:d5:cd:3b:c9 dst 10.4.8.24 dev flannel.1".
func (f FDB) String() string { return fmt.Sprintf("fdb %s dst %s dev %s", f.MAC, f.Dst, f.Dev) }
