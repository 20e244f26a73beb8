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
)

// Everything here runs for each of many thousand peers at every change, so it
// goes over them in few passes, and puts rows out in the order of their tables,
// which need not be sorted then.

// send adds what the host needs to reach peers, all of family f.
func send(s *netstate.Builder, in *Input, f netconf.Family, own tunnels, peers []peer) []Problem {
	var problems []Problem
	paths, errs := pathsTo(in, f, peers)
	ends := tunnelEnds(paths, peers)
	refuseShared(ends, own, paths, peers, errs)
	s.FDB = slices.Grow(s.FDB, len(ends))
	var last *Path
	for _, e := range ends {
		path := &paths[e.peer]
		if errs[e.peer] != nil || last != nil && sameEnd(path, last) {
			continue
		}
		last = path
		// Without the tunnel, receive has said already why.
		if t := own.find(path.VNI); t != nil {
			t.SendFrames(s, path.MAC, path.Remote)
		}
	}
	s.Neighs = slices.Grow(s.Neighs, len(ends))
	s.Routes = slices.Grow(s.Routes, len(peers))
	for i := range peers {
		p, path := &peers[i], &paths[i]
		if err := errs[i]; err != nil {
			problems = append(problems, p.problem(err))
		} else if path.Kind == Direct {
			hostgw.Send(s, p.subnet, path.Via, path.Dev)
		} else if t := own.find(path.VNI); t != nil {
			t.SendPackets(s, p.subnet, path.MAC)
		}
	}
	return problems
}

// pathsTo returns the path to each peer, or why there is none.
func pathsTo(in *Input, f netconf.Family, peers []peer) ([]Path, map[int]error) {
	paths := make([]Path, len(peers))
	errs := map[int]error{}
	for i := range peers {
		var err error
		if paths[i], err = pathTo(in, peers[i].Lease, f); err != nil {
			errs[i] = err
		}
	}
	return paths, errs
}

// tunnelEnd is the tunnel device of a peer, by the peer's number.
type tunnelEnd struct {
	order uint64 // MAC.Number: quicker to sort by
	peer  int
}

// tunnelEnds lists the tunnelled peers' devices by MAC, those of regular
// leases first.
func tunnelEnds(paths []Path, peers []peer) []tunnelEnd {
	ends := make([]tunnelEnd, 0, len(paths))
	for i := range paths {
		if paths[i].Kind == Tunnelled {
			ends = append(ends, tunnelEnd{paths[i].MAC.Number(), i})
		}
	}
	slices.SortFunc(ends, func(a, b tunnelEnd) int {
		switch {
		case a.order != b.order:
			return cmp.Compare(a.order, b.order)
		case peers[a.peer].odd && !peers[b.peer].odd:
			return 1
		case peers[b.peer].odd && !peers[a.peer].odd:
			return -1
		}
		return a.peer - b.peer
	})
	return ends
}

// sameEnd reports whether two tunnelled paths end at one device: a host whose
// former lease drains has two leases.
func sameEnd(a, b *Path) bool {
	return a.MAC == b.MAC && a.Remote == b.Remote && a.VNI == b.VNI
}

// refuseShared puts an error for each peer that announces a tunnel MAC that
// this host, or another host before it, has already: one of the two would get
// the other's packets.
func refuseShared(ends []tunnelEnd, own tunnels, paths []Path, peers []peer, errs map[int]error) {
	holder := 0
	for i, e := range ends {
		if i == 0 || ends[i-1].order != e.order {
			holder = e.peer
		}
		mac := &paths[e.peer].MAC
		switch {
		case slices.ContainsFunc(own, func(t *vxlan.Tunnel) bool { return t.MAC == *mac }):
			errs[e.peer] = fmt.Errorf("announces this host's own VtepMAC %s", mac)
		case !sameEnd(&paths[e.peer], &paths[holder]):
			errs[e.peer] = fmt.Errorf("announces VtepMAC %s, which %s has already", mac, lease.FormatSubnets(peers[holder].Subnets))
		}
	}
}
