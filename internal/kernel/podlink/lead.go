package podlink

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
)

// A pod may have several links, and one of them, the first, is its way out.
// The others are there to be reached by their own addresses, and must carry
// the answers, too: the host drops what has an address of another link.

// rulePriority is that of the rules that lead answers, ahead of the main
// table's 32766.
const rulePriority = 1000

// ownTable is the routing table of a pod's interface that is not the way out.
func ownTable(dev int32) uint32 { return 1000 + uint32(dev) }

// lead makes dev the pod's way out in a's family, and reports whether it did.
// If the pod has one already, only what comes from the link's addresses goes
// out by dev.
func (l Link) lead(conn *rtnl.Conn, a netip.Addr, dev int32) (is bool, err error) {
	var b rtnl.Batch
	codec.EncodeRoute(&b, codec.Create, wayOut(a, dev, unix.RT_TABLE_MAIN))
	if err := exec(conn, &b); !errors.Is(err, syscall.EEXIST) {
		return err == nil, err
	}
	b.Reset()
	codec.EncodeRoute(&b, codec.Create, wayOut(a, dev, ownTable(dev)))
	for _, own := range l.Addrs {
		if own.Is4() == a.Is4() {
			encodeRule(&b, own, ownTable(dev))
		}
	}
	return false, exec(conn, &b)
}

// RemoveRules removes the rules for what comes from addrs, which Make has put
// into the namespace that pod is a descriptor of: they would outlive the link.
// None is no error.
func RemoveRules(pod int, addrs []netip.Addr) error {
	return inside(pod, func() error {
		conn, err := rtnl.Open()
		if err != nil {
			return err
		}
		for _, a := range addrs {
			err = errors.Join(err, removeRules(conn, a))
		}
		return errors.Join(err, conn.Close())
	})
}

// manyRules is more rules for one address than links that were attached and
// detached in turn have left.
const manyRules = 1000

func removeRules(conn *rtnl.Conn, a netip.Addr) error {
	for range manyRules {
		var b rtnl.Batch
		encodeNoRule(&b, a)
		switch err := exec(conn, &b); {
		case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.EAFNOSUPPORT): // or the kernel has no rules for the family
			return nil
		case err != nil:
			return fmt.Errorf("remove the routing rule for packets from %s: %w", a, err)
		}
	}
	return nil
}
