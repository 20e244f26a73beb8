package plan

import (
	"slices"

	"github.com/weft-net/weft/internal/netstate"
)

// redirect brings up to date the paths to those admitted.
func (u *amendment) redirect() {
	holders := map[uint64]*peer{} // before
	for _, p := range u.gone {
		u.fault(p.fault(u.family, sending, nil))
		u.fault(p.fault(u.family, straying, nil))
		for _, x := range p.shortcomings(u.family, nil, nil) {
			u.fault(x)
		}
		path, err := u.in.path(p, u.family)
		if err != nil {
			continue
		}
		u.dropPackets(p, &path)
		if path.HasTunnel() {
			u.keepHolder(holders, &path)
			u.ends = u.ends.Without(tunnelEnd{mac: path.MAC.Number(), peer: p})
		}
	}
	for _, p := range u.come {
		path, err := u.in.path(p, u.family)
		if err == nil && path.HasTunnel() {
			u.keepHolder(holders, &path)
			u.ends = u.ends.With(tunnelEnd{mac: path.MAC.Number(), peer: p})
		}
	}
	for mac, before := range holders {
		u.rehold(mac, before)
	}
	for _, p := range slices.Concat(u.come, u.resends) {
		u.resend(p)
	}
}

// keepHolder notes who holds path's MAC, unless that is noted already.
func (u *amendment) keepHolder(holders map[uint64]*peer, path *Path) {
	mac := path.MAC.Number()
	if _, noted := holders[mac]; !noted {
		holders[mac] = u.holder(mac)
	}
}

// rehold carries frames to who holds a MAC now, and has those look for their
// path again who announce it too.
func (u *amendment) rehold(mac uint64, before *peer) {
	now := u.holder(mac)
	if now == before {
		return
	}
	if before != nil {
		if row, ok := u.frames(before); ok {
			u.fdb.Remove(row)
		}
	}
	if now == nil {
		return
	}
	if row, ok := u.frames(now); ok {
		u.fdb.Put(row)
	}
	for e := range u.ends.From(tunnelEnd{mac: mac, peer: least}) {
		if e.mac != mac {
			break
		}
		u.resend(e.peer)
	}
}

// frames returns what carries frames to the holder of a MAC.
func (u *amendment) frames(holder *peer) (netstate.FDB, bool) {
	path, err := u.in.path(holder, u.family)
	if err != nil || u.sharedMAC(u.family, &path, holder, holder, &path) != nil {
		return netstate.FDB{}, false
	}
	t := u.tunnels[u.family].find(path.VNI)
	if t == nil {
		return netstate.FDB{}, false
	}
	return t.Frames(path.MAC, path.Remote), true
}

// resend puts packets for an admitted peer on its path, or says why there is
// none.
func (u *amendment) resend(p *peer) {
	path, err := u.in.path(p, u.family)
	if err == nil && path.Kind == Tunnelled {
		if err = u.shares(p, &path); err != nil {
			u.dropPackets(p, &path)
		}
	}
	if err == nil && path.Kind == Encrypted {
		if err = u.mayEncrypt(u.keys, u.family, p); err != nil {
			u.dropPackets(p, &path)
		}
	}
	u.fault(p.fault(u.family, sending, err))
	u.fault(p.fault(u.family, straying, u.strays(&path, err)))
	for _, x := range p.shortcomings(u.family, &path, err) {
		u.fault(x)
	}
	if err == nil {
		var rows netstate.Builder
		u.sendPackets(&rows, u.family, p, &path)
		for _, r := range rows.Neighs {
			u.neighs.Put(r)
		}
		for _, r := range rows.Routes {
			u.routes.Put(r)
		}
		for _, r := range rows.Fast.Remotes {
			u.remotes.Put(r)
		}
	}
}

// shares returns an error if p may not have its MAC.
func (u *amendment) shares(p *peer, path *Path) error {
	holder := u.holder(path.MAC.Number())
	held, err := u.in.path(holder, u.family)
	if err != nil {
		return err
	}
	return u.sharedMAC(u.family, path, p, holder, &held)
}

// dropPackets removes what puts packets for p on path.
func (u *amendment) dropPackets(p *peer, path *Path) {
	var rows netstate.Builder
	u.sendPackets(&rows, u.family, p, path)
	for _, r := range rows.Neighs {
		u.neighs.Remove(r)
	}
	for _, r := range rows.Routes {
		u.routes.Remove(r)
	}
	for _, r := range rows.Fast.Remotes {
		u.remotes.Remove(r)
	}
}
