package main

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// standing is what the kernel has for peers, object by object: a route by its
// destination, a neighbour and an FDB entry by both of its addresses.
type standing struct{ routes, neighs, fdb map[string]bool }

func (c *churn) standing() standing {
	s := standing{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for _, p := range c.stand {
		s.routes[string(p.subnet.Addr().AsSlice())] = true
		s.neighs[string(p.subnet.Addr().AsSlice())+string(p.mac[:])] = true
		s.fdb[string(p.public.AsSlice())+string(p.mac[:])] = true
	}
	return s
}

// compare counts what the kernel lacks and what it has too many.
func (c *churn) compare(w *world) (missing, stale rows, err error) {
	have, err := observe(w)
	if err != nil {
		return rows{}, rows{}, fmt.Errorf("read the kernel's objects: %w", err)
	}
	want := c.standing()
	return want.without(have), have.without(want), nil
}

func (s standing) without(o standing) rows {
	return rows{Routes: lacking(s.routes, o.routes), Neighs: lacking(s.neighs, o.neighs), FDB: lacking(s.fdb, o.fdb)}
}

// lacking counts what a has and b has not.
func lacking(a, b map[string]bool) (n int) {
	for k := range a {
		if !b[k] {
			n++
		}
	}
	return n
}

// observe reads the namespace of w.
func observe(w *world) (s standing, err error) {
	s = standing{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	err = w.ns.Do(func() error {
		r, err := openRTNetlink()
		if err != nil {
			return err
		}
		defer r.close()
		_, err1 := r.count(unix.RTM_GETROUTE, routeHeader(unix.AF_INET, 0, 0), func(d []byte) bool {
			if len(d) >= unix.SizeofRtMsg && d[5] == weftProtocol {
				s.routes[string(destination(d))] = true
			}
			return false
		})
		_, err2 := r.count(unix.RTM_GETNEIGH, neighHeader(unix.AF_INET, 0, 0, 0), func(d []byte) bool {
			if permanent(d) {
				s.neighs[string(attribute(d, unix.NDA_DST))+string(attribute(d, unix.NDA_LLADDR))] = true
			}
			return false
		})
		_, err3 := r.count(unix.RTM_GETNEIGH, neighHeader(unix.AF_BRIDGE, 0, 0, 0), func(d []byte) bool {
			if permanent(d) && d[10]&unix.NTF_SELF != 0 && hasDestination(d) {
				s.fdb[string(attribute(d, unix.NDA_DST))+string(attribute(d, unix.NDA_LLADDR))] = true
			}
			return false
		})
		return errors.Join(err1, err2, err3)
	})
	return s, err
}

// attribute is one of a neighbour or FDB entry.
func attribute(d []byte, typ uint16) []byte {
	for d = d[unix.SizeofNdMsg:]; len(d) >= unix.SizeofNlAttr; {
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
