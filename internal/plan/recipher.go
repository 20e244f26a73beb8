package plan

import (
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/sorted"
)

// rekey brings up to date what WireGuard devices know of peers: the amendments of all
// families together, since one device may carry several. It returns the ends, and has
// those look for their path again whose key has another holder.
func rekey(ends sorted.Set[keyEnd], all map[netconf.Family]*amendment) sorted.Set[keyEnd] {
	before := ends
	var touched sorted.Set[keyEnd] // one for each device and key
	note := func(e keyEnd) {
		if _, noted := holderOf(touched, e); !noted {
			touched = touched.With(e)
		}
	}
	for f, u := range all {
		for _, p := range u.gone {
			if e, ok := u.end(f, p); ok {
				note(e)
				ends = ends.Without(e)
				u.allowed.Remove(u.ciphers[f].Allow(e.subnet, e.key))
			}
		}
		for _, p := range u.come {
			if e, ok := u.end(f, p); ok {
				note(e)
				ends = ends.With(e)
			}
		}
	}
	for e := range touched.All() {
		rehold(before, ends, e, all)
	}
	return ends
}

// rehold brings up to date what depends on who holds e's key.
func rehold(before, ends sorted.Set[keyEnd], e keyEnd, all map[netconf.Family]*amendment) {
	u := all[e.family]
	now, held := holderOf(ends, e)
	if !held || u.sharedKey(now, now) != nil {
		u.peers.Remove(u.ciphers[e.family].Peer(e.key, u.endpoint(e.peer, e.family)))
	} else {
		u.peers.Put(u.peerRow(now))
	}
	if !held {
		return
	}
	was, had := holderOf(before, e)
	for o := range ends.From(now) {
		if o.compareKey(e) != 0 {
			break
		}
		u := all[o.family]
		allowed := u.ciphers[o.family].Allow(o.subnet, o.key)
		if u.sharedKey(o, now) == nil {
			u.allowed.Put(allowed)
		} else if have, ok := u.allowed.Find(allowed); ok && have == allowed {
			u.allowed.Remove(allowed)
		}
		if !had || was.peer != now.peer {
			u.resends = append(u.resends, o.peer)
		}
	}
}
