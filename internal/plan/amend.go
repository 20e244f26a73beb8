package plan

import (
	"slices"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/sorted"
)

// amendment carries changed leases over into the plan of one family, in the same
// steps in which a whole plan is drawn.
type amendment struct {
	*basis
	*index
	*edits
	family    netconf.Family
	undecided []*peer // whether they are admitted must be found out; sorted by rank
	gone      []*peer // no longer admitted, or not in this form
	come      []*peer // newly admitted, or in this form
	resends   []*peer // admitted as before, and maybe not allowed their key as before

	keys sorted.Set[keyEnd] // of all families, afterwards
}

// admit finds out who is admitted now.
func (u *amendment) admit(changes []change) {
	var opened []*peer // admitted peers that are there no more: others may have their place
	for _, c := range changes {
		opened = append(opened, u.change(c)...)
	}
	for _, p := range opened {
		u.reconsider(p)
	}
	for len(u.undecided) > 0 {
		p := u.undecided[0]
		u.undecided = u.undecided[1:]
		u.decide(p)
	}
}

// apply puts the rows for those admitted.
func (u *amendment) apply() {
	u.readdress()
	u.redirect()
	u.count()
}

// change puts a changed lease into the index. It returns the old one if that
// was admitted and has no successor.
func (u *amendment) change(c change) (opened []*peer) {
	was, now := u.fitting(c.old), u.fitting(c.new)
	switch {
	case was != nil && now != nil: // only what it announces has changed
		u.fit = u.fit.With(bySubnet{now})
		if have, ok := u.admitted.Find(bySubnet{was}); ok {
			u.admitted = u.admitted.With(bySubnet{now})
			u.gone, u.come = append(u.gone, have.peer), append(u.come, now)
		}
		return nil
	case was != nil:
		u.fit = u.fit.Without(bySubnet{was})
		u.lengths[was.subnet.Bits()]--
		if have, ok := u.admitted.Find(bySubnet{was}); ok {
			u.admitted = u.admitted.Without(have)
			u.gone = append(u.gone, have.peer)
			opened = append(opened, have.peer)
		}
	case now != nil:
		u.fit = u.fit.With(bySubnet{now})
		u.lengths[now.subnet.Bits()]++
		u.undecide(now)
	}
	u.unfit(c, now)
	return opened
}

// fitting returns the peer that l is, if nothing is wrong with it by itself.
func (u *amendment) fitting(l *lease.Lease) *peer {
	if l == nil {
		return nil
	}
	p, ok := u.candidate(l, u.family)
	if !ok || u.fits(&p) != nil {
		return nil
	}
	return &p
}

// unfit sets what is wrong with a changed lease by itself.
func (u *amendment) unfit(c change, now *peer) {
	if c.old != nil {
		u.fault(fault{subnets: c.old.Subnets, family: u.family, kind: admitting})
		u.fault(fault{subnets: c.old.Subnets, family: u.family, kind: sharing})
	}
	if now != nil {
		u.fault(now.fault(u.family, sharing, u.partly(now)))
		return
	}
	if c.new == nil {
		return
	}
	if p, ok := u.candidate(c.new, u.family); ok {
		u.fault(p.fault(u.family, admitting, u.fits(&p)))
	}
}

// undecide has p decided upon, in its turn.
func (u *amendment) undecide(p *peer) {
	if i, found := slices.BinarySearchFunc(u.undecided, p, (*peer).rank); !found {
		u.undecided = slices.Insert(u.undecided, i, p)
	}
}

// reconsider has those decided upon that p outranks and overlaps, since p was
// admitted or is no longer.
func (u *amendment) reconsider(p *peer) {
	for _, o := range u.overlapping(p) {
		u.undecide(o)
	}
}

// decide finds out whether p is admitted. All of better rank are decided.
func (u *amendment) decide(p *peer) {
	rival, displaced := u.rival(p)
	if rival != nil {
		u.fault(p.fault(u.family, admitting, p.overlaps(rival)))
		return // and p was not admitted before: the rival would have displaced it
	}
	u.fault(p.fault(u.family, admitting, nil))
	if u.admitted.Has(bySubnet{p}) {
		return
	}
	for _, o := range displaced {
		u.admitted = u.admitted.Without(bySubnet{o})
		if i := slices.Index(u.come, o); i >= 0 {
			u.come = slices.Delete(u.come, i, i+1) // changed in this update, so its former self is gone already
		} else {
			u.gone = append(u.gone, o)
		}
		u.undecide(o)
		u.reconsider(o)
	}
	u.admitted = u.admitted.With(bySubnet{p})
	u.come = append(u.come, p)
	u.reconsider(p)
}
