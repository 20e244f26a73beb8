package plan

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan/hostgw"
	"github.com/weft-net/weft/internal/plan/vxlan"
	"github.com/weft-net/weft/internal/sorted"
)

// Everything here runs for each of many thousand peers, so it goes over them
// in few passes, and puts rows out in the order of their tables, which need
// not be sorted then.

// send adds what the host needs to reach admitted peers of family f.
func (b *basis) send(s *netstate.Builder, f netconf.Family, peers []*peer, keys sorted.Set[keyEnd]) (ends []tunnelEnd, faults []fault) {
	paths, errs := b.pathsTo(f, peers)
	ends = tunnelEnds(paths, peers)
	b.sendFrames(s, f, ends, paths, errs)
	for i, p := range peers {
		if paths[i].Kind == Encrypted && errs[p] == nil {
			if err := b.mayEncrypt(keys, f, p); err != nil {
				errs[p] = err
			}
		}
	}
	s.Neighs = slices.Grow(s.Neighs, len(ends))
	s.Routes = slices.Grow(s.Routes, len(peers))
	for i, p := range peers {
		if err := errs[p]; err != nil {
			faults = append(faults, p.fault(f, sending, err))
			continue
		}
		if err := b.strays(&paths[i], nil); err != nil {
			faults = append(faults, p.fault(f, straying, err))
		}
		for _, x := range p.shortcomings(f, &paths[i], nil) {
			if x.err != nil {
				faults = append(faults, x)
			}
		}
		b.sendPackets(s, f, p, &paths[i])
	}
	return ends, faults
}

// pathsTo returns the path to each peer, or why there is none.
func (b *basis) pathsTo(f netconf.Family, peers []*peer) ([]Path, map[*peer]error) {
	paths := make([]Path, len(peers))
	errs := map[*peer]error{}
	for i, p := range peers {
		var err error
		if paths[i], err = b.in.path(p, f); err != nil {
			errs[p] = err
		}
	}
	return paths, errs
}

// tunnelEnd is the tunnel device of a peer.
type tunnelEnd struct {
	mac uint64 // MAC.Number: quicker to sort by
	*peer
	path int // place in the list of paths, while all are planned
}

// Compare orders by MAC. Of those who announce the same one the regular leases
// come first, and the very first is the MAC's holder.
func (e tunnelEnd) Compare(o tunnelEnd) int {
	if c := cmp.Compare(e.mac, o.mac); c != 0 {
		return c // nearly always
	}
	return cmp.Or(cmp.Compare(min(e.group, 1), min(o.group, 1)), e.compare(o.peer))
}

// tunnelEnds lists the devices of peers with a tunnel, sorted.
func tunnelEnds(paths []Path, peers []*peer) []tunnelEnd {
	ends := make([]tunnelEnd, 0, len(paths))
	for i, p := range peers {
		if paths[i].HasTunnel() {
			ends = append(ends, tunnelEnd{paths[i].MAC.Number(), p, i})
		}
	}
	slices.SortFunc(ends, tunnelEnd.Compare)
	return ends
}

// sendFrames adds what carries frames to the holder of each MAC, and puts an
// error for each peer that may not have its MAC.
func (b *basis) sendFrames(s *netstate.Builder, f netconf.Family, ends []tunnelEnd, paths []Path, errs map[*peer]error) {
	s.FDB = slices.Grow(s.FDB, len(ends))
	holder := tunnelEnd{}
	for i, e := range ends {
		first := i == 0 || ends[i-1].mac != e.mac
		if first {
			holder = e
		}
		path := &paths[e.path]
		if err := b.sharedMAC(f, path, e.peer, holder.peer, &paths[holder.path]); err != nil {
			if path.Kind == Tunnelled {
				errs[e.peer] = err
			}
		} else if t := b.tunnels[f].find(path.VNI); first && t != nil {
			s.FDB = append(s.FDB, t.Frames(path.MAC, path.Remote))
		}
	}
}

// sharedMAC returns an error if a peer with a tunnel announces a MAC
// that this host, or another host before it, has already: one of the two would
// get the other's packets. A host whose previous subnet drains has two leases
// with one device.
func (b *basis) sharedMAC(f netconf.Family, path *Path, p, holder *peer, held *Path) error {
	switch {
	case slices.ContainsFunc(b.tunnels[f], func(t *vxlan.Tunnel) bool { return t.MAC == path.MAC }):
		return fmt.Errorf("announces this host's own VtepMAC %s; %s", path.MAC, setUpAnew(p.Lease))
	case path.Remote != held.Remote || path.VNI != held.VNI:
		return fmt.Errorf("announces VtepMAC %s, which %s already has; %s", path.MAC, lease.FormatSubnets(holder.Subnets), setUpAnew(p.Lease))
	}
	return nil
}

// sendPackets adds what puts packets for p on path. Without the tunnel receive
// has said already why.
func (b *basis) sendPackets(s *netstate.Builder, f netconf.Family, p *peer, path *Path) {
	if path.Kind == Encrypted {
		if d := b.ciphers[f]; d != nil {
			route := d.Route(p.subnet)
			route.MTU = path.MTU
			s.Routes = append(s.Routes, route)
		}
	} else if path.Kind == Elsewhere {
		return
	} else if end := b.routed[f][path.Kind]; end != nil {
		route := end.Route(p.subnet, path.Remote)
		route.MTU = path.MTU
		s.Routes = append(s.Routes, route)
	} else if path.Kind == Direct {
		route := hostgw.Route(p.subnet, path.Via, path.Dev, path.OnLink)
		route.MTU = path.MTU
		s.Routes = append(s.Routes, route)
	} else if t := b.tunnels[f].find(path.VNI); t != nil {
		neigh, route := t.Packets(p.subnet, path.MAC)
		route.MTU = path.MTU
		s.Neighs, s.Routes = append(s.Neighs, neigh), append(s.Routes, route)
	}
	if r, ok := b.fastRemote(f, p.subnet, path); ok {
		s.Fast.Remotes = append(s.Fast.Remotes, r)
	}
}
