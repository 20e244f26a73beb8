package plan

import (
	"net/netip"
	"slices"
)

// readdress brings up to date what follows from the public addresses of those
// admitted: who has a duplicate, and who may send to this host.
func (u *amendment) readdress() {
	for a, before := range u.moveAddresses() {
		u.readmit(a, before != nil)
		if u.announcing(a) == before {
			continue
		}
		for e := range u.public.From(byPublic{a, least}) {
			if e.addr != a {
				break
			}
			u.compareAddress(e.peer, a)
		}
	}
	for _, p := range u.come {
		if a, ok := p.PublicAddr(u.family); ok {
			u.compareAddress(p, a)
		}
	}
}

// moveAddresses brings the index of addresses up to date. It returns the peer
// that was the first to announce each of those concerned.
func (u *amendment) moveAddresses() map[netip.Addr]*peer {
	firsts := map[netip.Addr]*peer{}
	for _, p := range slices.Concat(u.gone, u.come) {
		if a, ok := p.PublicAddr(u.family); ok {
			firsts[a] = u.announcing(a)
		}
	}
	for _, p := range u.gone {
		if a, ok := p.PublicAddr(u.family); ok {
			u.public = u.public.Without(byPublic{a, p})
			u.fault(p.fault(u.family, addressing, nil))
		}
	}
	for _, p := range u.come {
		if a, ok := p.PublicAddr(u.family); ok {
			u.public = u.public.With(byPublic{a, p})
		}
	}
	return firsts
}

// compareAddress sets whether p has a duplicate of the address that it
// announces.
func (u *amendment) compareAddress(p *peer, a netip.Addr) {
	u.fault(p.fault(u.family, addressing, duplicate(u.family, p, u.announcing(a), a)))
}

// readmit lets a into the set of peers' addresses, or removes it.
func (u *amendment) readmit(a netip.Addr, before bool) {
	element, wanted := u.fw.Member(a)
	now := u.announcing(a) != nil
	switch {
	case !wanted || before == now:
	case now:
		u.elements.Put(element)
	default:
		u.elements.Remove(element)
	}
}
