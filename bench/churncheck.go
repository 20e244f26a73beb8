package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan/vxlan"
)

// standing is what the kernel has for peers, object by object: a route by its
// destination and gateway, a neighbour and an FDB entry by both of their addresses.
type standing struct{ routes, neighs, fdb map[string]bool }

func noObjects() standing {
	return standing{map[string]bool{}, map[string]bool{}, map[string]bool{}}
}

// compareLeases counts what the kernel lacks and what it has too many, by the leases
// that are in etcd now.
func compareLeases(ctx context.Context, w *world, n *network) (missing, stale rows, err error) {
	want, err := n.standing(ctx)
	if err != nil {
		return rows{}, rows{}, fmt.Errorf("read the leases back from etcd: %w", err)
	}
	have, err := observe(w)
	if err != nil {
		return rows{}, rows{}, fmt.Errorf("read the kernel's objects: %w", err)
	}
	return want.without(have), have.without(want), nil
}

// standing is what the leases in etcd call for on the agent's host.
func (n *network) standing(ctx context.Context) (standing, error) {
	s := noObjects()
	prefix := path.Join(n.prefix, "subnets") + "/"
	for key := prefix; ; {
		page, err := n.etcd.Get(ctx, key, clientv3.WithRange(clientv3.GetPrefixRangeEnd(prefix)), clientv3.WithLimit(pageOfLeases))
		if err != nil {
			return s, err
		}
		for _, kv := range page.Kvs {
			if err := s.add(string(kv.Key[len(prefix):]), kv.Value); err != nil {
				return s, fmt.Errorf("%s: %w", kv.Key, err)
			}
		}
		if !page.More {
			return s, nil
		}
		key = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
	}
}

const pageOfLeases = 1000

// add takes in one lease of a host other than the agent's.
func (s standing) add(key string, value []byte) error {
	subnets, err := lease.ParseKey(key)
	if err != nil {
		return err
	}
	attrs, err := lease.ParseAttrs(value)
	if err != nil {
		return err
	}
	public := attrs.Public[0]
	if public == agentAddr {
		return nil
	}
	tunnel, err := vxlan.ParseData(attrs.Data.Of(netconf.V4))
	if err != nil {
		return err
	}
	gateway, mac := bytesOf(subnets[0].Addr()), string(tunnel.MAC[:])
	s.routes[gateway+gateway] = true // the tunnel's address is the first of the subnet
	s.neighs[gateway+mac] = true
	s.fdb[bytesOf(public)+mac] = true
	return nil
}

func bytesOf(a netip.Addr) string { return string(a.AsSlice()) }

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
	s = noObjects()
	err = w.ns.Do(func() error {
		r, err := openRTNetlink()
		if err != nil {
			return err
		}
		defer r.close()
		return errors.Join(s.readRoutes(r), s.readNeighs(r), s.readFDB(r))
	})
	return s, err
}

// readRoutes asks for the nexthop objects first: routes may name theirs alone.
func (s standing) readRoutes(r *rtnetlink) error {
	gateways := map[string]string{} // by the object's id
	_, err := r.count(unix.RTM_GETNEXTHOP, nexthopDump(), func(d []byte) bool {
		if len(d) >= unix.SizeofNhmsg {
			a := d[unix.SizeofNhmsg:]
			gateways[string(attribute(a, unix.NHA_ID))] = string(attribute(a, unix.NHA_GATEWAY))
		}
		return false
	})
	if err != nil {
		return fmt.Errorf("nexthops: %w", err)
	}
	_, err = r.count(unix.RTM_GETROUTE, routeHeader(unix.AF_INET, 0, 0), func(d []byte) bool {
		if len(d) < unix.SizeofRtMsg || d[5] != weftProtocol {
			return false
		}
		a := d[unix.SizeofRtMsg:]
		gateway := string(attribute(a, unix.RTA_GATEWAY))
		if gateway == "" {
			gateway = gateways[string(attribute(a, rtaNHID))]
		}
		s.routes[string(attribute(a, unix.RTA_DST))+gateway] = true
		return false
	})
	return err
}

func (s standing) readNeighs(r *rtnetlink) error {
	_, err := r.count(unix.RTM_GETNEIGH, neighHeader(unix.AF_INET, 0, 0, 0), func(d []byte) bool {
		if permanent(d) {
			a := d[unix.SizeofNdMsg:]
			s.neighs[string(attribute(a, unix.NDA_DST))+string(attribute(a, unix.NDA_LLADDR))] = true
		}
		return false
	})
	return err
}

func (s standing) readFDB(r *rtnetlink) error {
	_, err := r.count(unix.RTM_GETNEIGH, neighHeader(unix.AF_BRIDGE, 0, 0, 0), func(d []byte) bool {
		if permanent(d) && d[10]&unix.NTF_SELF != 0 && hasDestination(d) {
			a := d[unix.SizeofNdMsg:]
			s.fdb[string(attribute(a, unix.NDA_DST))+string(attribute(a, unix.NDA_LLADDR))] = true
		}
		return false
	})
	return err
}
