package etcd

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
)

// encode sets what will be stored.
func (a *acquisition) encode() error {
	value, err := lease.MarshalAttrs(a.claim.Attrs)
	if err != nil {
		return err
	}
	owner, err := json.Marshal(a.claim.Owner)
	a.value, a.owner = string(value), string(owner)
	return err
}

// writes is what has to change so that c holds: nothing if it does already.
func (a *acquisition) writes(have contents, c lease.Choice, id ttlID) txn {
	name := lease.Key(c.Lease.Subnets)
	e := &edit{have: have}
	e.put(a.keys.lease(name), a.value, id)
	e.put(a.keys.owner(name), a.owner, id)
	e.del(a.keys.former(name))
	a.point(e, name, id)
	var mine []string
	for _, addr := range c.Lease.Public {
		mine = append(mine, a.keys.addr(addr))
		e.put(a.keys.addr(addr), name, id)
	}
	for _, l := range c.Drop {
		old := lease.Key(l.Subnets)
		e.del(a.keys.lease(old))
		e.del(a.keys.owner(old))
		e.del(a.keys.former(old))
		e.txn.del(a.keys.host(old))
		a.forget(e, old, mine)
		a.forgetID(e, old)
	}
	for _, r := range c.Draining {
		a.drain(e, r)
		a.forget(e, lease.Key(r.Of.Subnets), mine)
		a.forgetID(e, lease.Key(r.Of.Subnets))
	}
	a.forget(e, name, mine)
	if len(e.then) == 0 {
		return txn{}
	}
	if doc, err := lease.MarshalHost(a.claim.Host); err == nil && a.claim.Host.Name != "" {
		e.txn.put(a.keys.host(name), string(doc), id)
	}
	if !c.Had {
		a.alone(&e.txn, c.Lease, have.revision)
	}
	return e.txn
}

// drain keeps what is left of a former lease for as long as that would have
// lived.
func (a *acquisition) drain(e *edit, r lease.Draining) {
	old, name := lease.Key(r.Of.Subnets), lease.Key(r.Subnets)
	id := ttlOf(e.have.key(a.keys.lease(old)))
	if name != old {
		e.del(a.keys.lease(old))
		e.del(a.keys.owner(old))
		e.del(a.keys.former(old))
		e.txn.del(a.keys.host(old))
	}
	e.put(a.keys.lease(name), a.value, id)
	e.put(a.keys.owner(name), a.owner, id)
	if previous := a.claim.FormerOf(r); len(previous) > 0 {
		e.put(a.keys.former(name), netconf.FormatPrevious(previous), id)
	}
}

// forget deletes the keys of addresses that lease name announced and that are
// not kept.
func (a *acquisition) forget(e *edit, name string, keep []string) {
	for _, key := range a.addrKeys(e.have.key(a.keys.lease(name))) {
		if kv := e.have.key(key); kv != nil && string(kv.Value) == name && !slices.Contains(keep, key) {
			e.del(key)
		}
	}
}

// point makes the claimant's id point to lease name, and no longer an id that
// had it before.
func (a *acquisition) point(e *edit, name string, id ttlID) {
	if a.claim.ID != "" {
		e.put(a.keys.id(a.claim.ID), name, id)
	}
	a.forgetID(e, name)
}

// forgetID deletes the key of another id than the claimant's that is recorded
// for lease name.
func (a *acquisition) forgetID(e *edit, name string) {
	o, recorded := e.have.owners[name]
	if !recorded || o.ID == "" || o.ID == a.claim.ID {
		return
	}
	if kv := e.have.key(a.keys.id(o.ID)); kv != nil && string(kv.Value) == name {
		e.del(a.keys.id(o.ID))
	}
}

// alone asks that no lease came into being since revision rev that shares a
// subnet with l. Keys begin with the first subnet, so those with the same one are
// one range; the second one can be in any key.
func (a *acquisition) alone(t *txn, l lease.Lease, rev int64) {
	if len(l.Subnets) > 1 {
		t.noneSince(a.keys.leases(), rev)
		return
	}
	name := lease.Key(l.Subnets)
	t.noneSince(a.keys.leasesOf(name[:strings.LastIndex(name, "-")+1]), rev)
}

// edit is a txn that leaves out what is there already.
type edit struct {
	txn
	have contents
}

func (e *edit) put(key, value string, id ttlID) {
	kv := e.have.key(key)
	e.unchanged(key, kv)
	if kv == nil || string(kv.Value) != value || ttlOf(kv) != id {
		e.txn.put(key, value, id)
	}
}

func (e *edit) del(key string) {
	kv := e.have.key(key)
	e.unchanged(key, kv)
	if kv != nil {
		e.txn.del(key)
	}
}
