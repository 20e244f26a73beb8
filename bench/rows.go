package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// rows counts what stands in a kernel for the network's peers.
type rows struct{ Routes, Neighs, FDB int }

// total is the number of rows of all kinds.
func (r rows) total() int { return r.Routes + r.Neighs + r.FDB }

// expected is what n peers need.
func expected(backend string, n int) rows {
	if backend == vxlanBackend {
		return rows{Routes: n, Neighs: n, FDB: n}
	}
	return rows{Routes: n}
}

// weftProtocol is the number that marks weft's routes. It is written down here
// a second time so that the bench sees what the kernel was really told.
const weftProtocol = 119

// countRows looks at the namespace of w.
func countRows(w *world) (rows, error) {
	var out rows
	err := w.ns.Do(func() error {
		r, err := openRTNetlink()
		if err != nil {
			return err
		}
		defer r.close()
		out.Routes, err = r.count(unix.RTM_GETROUTE, routeHeader(unix.AF_INET, 0, 0), func(d []byte) bool {
			return len(d) >= unix.SizeofRtMsg && d[5] == weftProtocol
		})
		if err != nil {
			return err
		}
		out.Neighs, err = r.count(unix.RTM_GETNEIGH, neighHeader(unix.AF_INET, 0, 0, 0), permanent)
		if err != nil {
			return err
		}
		out.FDB, err = r.count(unix.RTM_GETNEIGH, neighHeader(unix.AF_BRIDGE, 0, 0, 0), func(d []byte) bool {
			return permanent(d) && d[10]&unix.NTF_SELF != 0 && hasDestination(d)
		})
		return err
	})
	if err != nil {
		return out, fmt.Errorf("count the objects in the kernel: %w", err)
	}
	return out, nil
}

func permanent(d []byte) bool {
	return len(d) >= unix.SizeofNdMsg && native.Uint16(d[8:])&unix.NUD_PERMANENT != 0
}

// hasDestination tells FDB entries of tunnels from those of other devices.
func hasDestination(d []byte) bool { return attribute(d[unix.SizeofNdMsg:], unix.NDA_DST) != nil }

// attribute returns the value of the first attribute of a type, nil if there is
// none.
func attribute(d []byte, typ uint16) []byte {
	for len(d) >= unix.SizeofNlAttr {
		size := int(native.Uint16(d))
		if size < unix.SizeofNlAttr || size > len(d) {
			return nil
		}
		if native.Uint16(d[2:]) == typ {
			return d[unix.SizeofNlAttr:size]
		}
		d = d[min((size+3)&^3, len(d)):]
	}
	return nil
}

// routeHeader packs struct rtmsg of linux/rtnetlink.h, for the main table.
func routeHeader(family, bits, protocol uint8) []byte {
	h := make([]byte, unix.SizeofRtMsg)
	h[0], h[1], h[4], h[5] = family, bits, unix.RT_TABLE_MAIN, protocol
	h[6], h[7] = unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST
	return h
}

// neighHeader packs struct ndmsg of linux/neighbour.h.
func neighHeader(family uint8, index uint32, state uint16, flags uint8) []byte {
	h := make([]byte, unix.SizeofNdMsg)
	h[0], h[10] = family, flags
	native.PutUint32(h[4:], index)
	native.PutUint16(h[8:], state)
	return h
}

// nexthopHeader packs struct nhmsg of linux/nexthop.h.
func nexthopHeader(flags uint32) []byte {
	h := make([]byte, unix.SizeofNhmsg)
	h[0], h[2] = unix.AF_INET, weftProtocol
	native.PutUint32(h[4:], flags)
	return h
}

// nexthopDump is the header that asks for all nexthop objects.
func nexthopDump() []byte { return make([]byte, unix.SizeofNhmsg) }
