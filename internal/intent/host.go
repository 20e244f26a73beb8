package intent

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/plan/firewall"
	"github.com/weft-net/weft/internal/store"
)

// observe makes sure that the host's facts are known, and reports whether they
// are. Facts that may not hold any more count until the answer comes.
func (t *step) observe() bool {
	s := t.state
	q := HostQuery{
		Options:  withAssigned(s.opts.Uplink, s.store.snapshot.Assigned),
		Networks: s.networks(),
	}
	retry := s.faults.Uplink != nil && t.due()
	q.Options.FastPath = netconf.No
	if s.opts.Uplink.FastPath.Or(s.config.net.FastPath) {
		q.Options.FastPath = netconf.Yes
	}
	other := s.query == nil || !equal(*s.query, q)
	if other || s.outdated || retry {
		s.query, s.outdated = &q, false
		asked := q // that the uplink is another now is no new question
		asked.Current = s.uplink()
		if len(s.history) == 0 && s.self == nil && s.last == nil {
			asked.Devices = plan.LinkNames(*s.config.net)
		}
		t.out.Observe = &asked
	}
	return s.facts != nil && s.faults.Uplink == nil && equal(s.answered, q)
}

// uplink is the one that peers send to so far, as far as it is known. Before
// there is a lease nobody does, and any choice can be made anew.
func (s *State) uplink() host.Uplink {
	switch {
	case s.facts != nil && s.self != nil:
		return s.facts.Uplink
	case s.last != nil:
		return host.Uplink{Addrs: s.last.Public}
	case s.store.snapshot.Assigned != nil: // announced by an agent whose state is gone, or by flanneld
		return host.Uplink{Addrs: s.store.snapshot.Assigned.Attrs.Public}
	}
	return host.Uplink{}
}

func (t *step) hostObserved(e HostObserved) {
	s := t.state
	s.answered = e.Query
	s.answered.Current, s.answered.Devices = host.Uplink{}, nil
	s.faults.Uplink = e.Err
	t.retry(e.Err)
	if e.Err != nil {
		return
	}
	if e.Devices != nil {
		s.devices = e.Devices
	}
	if s.facts != nil && equal(*s.facts, e.Facts) {
		return
	}
	if s.facts != nil && !slices.Equal(s.facts.Uplink.Addrs, e.Facts.Uplink.Addrs) {
		t.out.Redial = true
	}
	t.tellFacts(e.Facts)
	s.facts = &e.Facts
}

// tellFacts logs what is new about the host.
func (t *step) tellFacts(facts host.Facts) {
	old := host.Facts{}
	if t.state.facts != nil {
		old = *t.state.facts
	}
	if shown(old.Uplink) != shown(facts.Uplink) {
		t.say(Info, event.Uplink, "uplink", "name", facts.Uplink.Name, "addresses", facts.Uplink.Addrs, "mtu", facts.Uplink.MTU, "chosen", facts.Uplink.Reason)
	}
	if t.state.config.net == nil {
		return
	}
	for _, b := range facts.Barriers {
		if b.Manager == "" || !t.state.opts.Firewall.Accept {
			continue // a problem of the plan, if it stops anything
		}
		how := firewall.Stops(*t.state.config.net, plan.Carriers(*t.state.config.net), facts, b)
		known := slices.ContainsFunc(old.Barriers, func(o host.Barrier) bool {
			return o.Compare(b) == 0 && firewall.Stops(*t.state.config.net, plan.Carriers(*t.state.config.net), old, o) == how
		})
		if how != "" && !known {
			t.say(Info, event.Problem, "another firewall can stop packets", "object", b.String(), "how", how)
		}
	}
}

// shown is what of an uplink is told.
func shown(u host.Uplink) string { return fmt.Sprint(u.Name, u.Addrs, u.MTU, u.Reason) }

// withAssigned is how to choose the uplink: addresses that the store has for
// this host go before those of the command line, each for its family.
func withAssigned(o host.Options, a *store.Assignment) host.Options {
	if a == nil {
		return o
	}
	o.Node = a.Node
	if len(a.Uplink) == 0 {
		return o
	}
	public := slices.Clone(a.Uplink)
	for _, addr := range o.Public {
		if !slices.ContainsFunc(public, netconf.Of(netconf.FamilyOf(addr))) {
			public = append(public, addr)
		}
	}
	slices.SortFunc(public, netip.Addr.Compare) // v4 first
	o.Public = public
	return o
}

// withKey returns b with this host's key.
func (s *State) withKey(b plan.Before) plan.Before {
	b.Key = s.key
	return b
}

// before gathers what peers may know of this host already.
func (s *State) before() plan.Before {
	if attrs, ok := s.history.announced(s.config.net.Backend); ok {
		return plan.Before{Attrs: attrs}
	}
	if s.self != nil {
		return plan.Before{Attrs: s.self.Attrs}
	}
	if a := s.store.snapshot.Assigned; a != nil && a.Attrs.Backend != "" {
		return plan.Before{Attrs: a.Attrs}
	}
	for _, addr := range s.facts.Public {
		for _, key := range s.store.index.Announcing(addr) {
			if l, ok := s.store.leases.Find(lease.At(key)); ok {
				return plan.Before{Attrs: l.Attrs}
			}
		}
	}
	if s.last != nil {
		return plan.Before{Attrs: s.last.Attrs}
	}
	return plan.Before{Have: s.devices}
}

// lock makes sure that no other agent on this host has what the network needs,
// and reports whether that is so.
func (t *step) lock() bool {
	s := t.state
	need := Locks{
		Networks: s.networks(),
		Devices:  plan.LinkNames(*s.config.net),
		Table:    firewall.TableName(*s.config.net, s.opts.Firewall),
	}
	if len(s.history) > 1 && s.wanted != nil { // a former device of ours still stands
		for _, d := range s.wanted.Devices {
			if !slices.Contains(need.Devices, d) {
				need.Devices = append(need.Devices, d)
			}
		}
	}
	retry := s.faults.Locks != nil && t.due()
	if s.wanted == nil || !equal(*s.wanted, need) || retry {
		s.wanted = &need
		t.out.Lock = &need
	}
	return s.locks != nil && s.faults.Locks == nil && equal(*s.locks, need)
}

func (t *step) locksTaken(e LocksTaken) {
	s := t.state
	s.faults.Locks = e.Err
	t.retry(e.Err)
	if e.Err == nil {
		s.locks = &e.Locks
	}
}
