package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/nft"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// groups are the RTNLGRP_* of linux/rtnetlink.h that carry what concerns
// weft. Forwarding entries come with the neighbours.
var groups = []int{
	unix.RTNLGRP_LINK, unix.RTNLGRP_NEIGH,
	unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
	unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
	unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE,
	unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF,
	unix.RTNLGRP_NEXTHOP,
}

// Watch implements reconcile.Kernel. What this Kernel itself writes is not
// reported. Which rows concern weft is known from the last Observe; before
// the first one only what may change the host's facts is reported.
func (k *Kernel) Watch(ctx context.Context, fn func(netstate.Event)) (err error) {
	var l *rtnl.Listener
	var rules *nft.Watcher
	err = k.ns.do(func() error {
		if l, err = rtnl.Listen(k.conn.PID(), groups...); err != nil {
			return err
		}
		if rules, err = k.nft.Watch(); err != nil {
			return errors.Join(err, l.Close())
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("watch the kernel: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	var one sync.Mutex
	report := func(e netstate.Event) {
		one.Lock()
		defer one.Unlock()
		fn(e)
	}
	if rules != nil {
		group.Go(func() error { return rules.Run(ctx, report) })
	}
	group.Go(func() error { return k.watch(ctx, l, report) })
	group.Go(func() error { return k.legacy.watch(ctx, report) })
	return group.Wait()
}

// watch reports what l hears, and closes it.
func (k *Kernel) watch(ctx context.Context, l *rtnl.Listener, fn func(netstate.Event)) (err error) {
	defer func() { err = errors.Join(err, l.Close()) }()
	w := &watcher{Kernel: k}
	if err := again(ctx, w.look); err != nil {
		return fmt.Errorf("watch the kernel: %w", err)
	}
	fn(netstate.Event{})
	for m, err := range l.Messages(ctx) {
		if errors.Is(err, rtnl.ErrLost) {
			if err := again(ctx, w.look); err != nil {
				return fmt.Errorf("watch the kernel: %w", err)
			}
			fn(netstate.Event{Facts: true})
			continue
		}
		if err != nil {
			return fmt.Errorf("watch the kernel: %w", err)
		}
		if e, ok := w.translate(w.view.Load(), m); ok {
			e.PID = m.PID
			fn(e)
			if l, ours := e.Row.(netstate.Link); ours && !e.Gone && !l.Foreign() {
				if e, ok := w.offloadEvent(l.Name, m); ok {
					fn(e)
				}
			}
		}
	}
	return ctx.Err()
}

// watcher turns messages into events.
type watcher struct {
	*Kernel
	mirror mirror
}

func (w *watcher) look() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	links, err := readLinks(w.conn, "")
	if err != nil {
		return err
	}
	addrs, err := readAddresses(w.conn, 0)
	if err != nil {
		return err
	}
	w.mirror = mirror{}
	for _, l := range links {
		w.mirror.link(l, false)
	}
	for _, a := range addrs {
		w.mirror.address(a, false)
	}
	return nil
}

// translate turns m into an event; false if it cannot concern weft.
func (w *watcher) translate(v *view, m rtnl.Message) (netstate.Event, bool) {
	gone := m.Type == unix.RTM_DELLINK || m.Type == unix.RTM_DELADDR || m.Type == unix.RTM_DELROUTE ||
		m.Type == unix.RTM_DELNEIGH || m.Type == unix.RTM_DELNEXTHOP
	switch m.Type {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		return w.linkEvent(v, m, gone)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		return w.addressEvent(v, m, gone)
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		return w.routeEvent(v, m, gone)
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH:
		return neighbourEvent(v, m, gone)
	case unix.RTM_NEWNEXTHOP, unix.RTM_DELNEXTHOP:
		return w.nexthopEvent(m, gone)
	case unix.RTM_NEWRULE, unix.RTM_DELRULE:
		return w.ruleEvent(m)
	case unix.RTM_NEWNETCONF:
		return w.netconfEvent(v, m)
	}
	return netstate.Event{}, false
}

func (w *watcher) linkEvent(v *view, m rtnl.Message, gone bool) (netstate.Event, bool) {
	read, ok := codec.DecodeLink(m)
	if !ok {
		return netstate.Event{}, false
	}
	l := linkOf(read)
	matters := w.matters(l.index)
	_, known := w.mirror[l.index]
	changed := w.mirror.link(l, gone)
	former, ours := v.own[l.index]
	switch {
	case ours && former != l.Name:
		row := l.Link
		row.Name, row.Dev = former, w.mirror.name(l.lower)
		return netstate.Event{Row: row, Gone: true}, true // renamed
	case ours || v.owns(l.Name):
		if !known && !gone {
			l = w.finished(l)
		}
		row := l.Link
		switch {
		case row.Kind == netstate.KindWireGuard && !gone:
			if d, err := w.readWireGuard(l); err == nil {
				row = withKey(row, d)
			}
		case !row.Foreign():
			row.Dev = w.mirror.name(l.lower)
		}
		return netstate.Event{Row: row, Gone: gone}, true
	case !l.Foreign() && owned.IsDeviceName(l.Name):
		return netstate.Event{}, changed // ours or not: its addresses tell
	}
	// The kernel drops IPv4 routes without a word when their device goes down.
	if matters = matters && changed; !matters && v.scope.Pods && l.Kind == "veth" && (gone || !l.Up) {
		return netstate.Event{Facts: true, Only: true}, true
	}
	return netstate.Event{Facts: true}, matters
}

// finished returns a new device as it is once Apply is through with it: the
// news of its making does not carry our port id, and it is not up yet.
func (w *watcher) finished(l link) link {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, found, err := newDevices(w.conn).named(l.Name)
	if err != nil || !found {
		return l
	}
	return now
}

func (w *watcher) addressEvent(v *view, m rtnl.Message, gone bool) (netstate.Event, bool) {
	a, ok := codec.DecodeAddr(m)
	if !ok {
		return netstate.Event{}, false
	}
	changed := w.mirror.address(a, gone)
	name, ours := v.own[a.Index]
	if ours {
		return netstate.Event{Row: netstate.Addr{Prefix: a.Prefix, Dev: name}, Gone: gone}, isManaged(a)
	}
	// Likewise for IPv4 routes whose gateway's prefix is gone.
	return netstate.Event{Facts: true}, changed && !isLinkLocal6(a)
}

func (w *watcher) routeEvent(v *view, m rtnl.Message, gone bool) (netstate.Event, bool) {
	r, ok := codec.DecodeRoute(m)
	switch {
	case !ok:
		return netstate.Event{}, false
	case r.Dst.Bits() == 0:
		return netstate.Event{Facts: true}, w.near.Load().looksUp(r.Table)
	case r.Protocol == owned.PodProtocol: // pods come and go without the agent, but a fast path has to know
		return netstate.Event{Facts: true, Only: true}, v.scope.Pods && v.scope.Holds(r.Dst)
	case !isManagedRoute(r, v.scope):
		return netstate.Event{Facts: true}, w.leadsToHosts(r)
	case r.Nexthop != 0 && r.Dev == 0 && r.Kind == unix.RTN_UNICAST:
		return netstate.Event{Facts: w.leadsToHosts(r)}, true // it names the nexthop object alone
	}
	return netstate.Event{Row: routeOf(r, w.mirror.name(r.Dev)), Gone: gone, Facts: w.leadsToHosts(r)}, true
}

// leadsToHosts reports whether r may decide which hosts are on-link: it leads to a
// network without a gateway, as a VPN's device may have without an address, to a
// link of a device that matters, or takes destinations out of one.
func (w *watcher) leadsToHosts(route codec.Route) bool {
	near := w.near.Load()
	if !isHostRoute(route) || !near.looksUp(route.Table) {
		return false
	}
	r := hostRoute{route, route.Hops()}
	if r.Nexthop != 0 && len(r.hops) == 0 {
		if _, known := near.nexthops[r.Nexthop]; !known {
			return true
		}
		r.hops = near.nexthops.hops(r.Nexthop)
	}
	if r.isDirect() && route.Table == unix.RT_TABLE_MAIN {
		return !r.Dst.IsSingleIP() || slices.ContainsFunc(r.hops, func(h codec.Hop) bool { return w.matters(h.Dev) })
	}
	return near.concerns(r)
}

// ruleEvent reports a policy rule, unless it is about one address that is neither this
// host's nor in the overlay: other network plugins have one for each pod.
func (w *watcher) ruleEvent(m rtnl.Message) (netstate.Event, bool) {
	r, ok := codec.DecodeRule(m)
	if !ok {
		return netstate.Event{}, false
	}
	elsewhere := func(p netip.Prefix) bool {
		return p.IsSingleIP() && r.Flags&unix.FIB_RULE_INVERT == 0 && !w.mirror.has(p.Addr()) &&
			!slices.ContainsFunc(w.near.Load().overlay, p.Overlaps)
	}
	return netstate.Event{Facts: true}, !elsewhere(r.Src)
}

// matters reports whether packets to peers may go through the device: whether it
// has an address or a default route. Where the host's address is on the
// loopback, the uplink has none.
func (w *watcher) matters(index int32) bool {
	return w.mirror.matters(index) || w.near.Load().leads(index)
}

func neighbourEvent(v *view, m rtnl.Message, gone bool) (netstate.Event, bool) {
	n, ok := codec.DecodeNeigh(m)
	name, ours := v.own[n.Index]
	if !ok || !ours {
		return netstate.Event{}, false
	}
	// An entry that is no longer permanent is no row any more.
	e := netstate.Event{Row: neighOf(n, name), Gone: gone || !isPermanent(n)}
	if n.Family == unix.AF_BRIDGE {
		e.Row = fdbOf(n, name)
		return e, n.HasMAC
	}
	return e, true
}

// nexthopEvent reports what others do to our nexthop objects, and to those of
// routes to other hosts: with one its routes go, or change, without a word.
func (w *watcher) nexthopEvent(m rtnl.Message, gone bool) (netstate.Event, bool) {
	id, protocol, h, ok := decodeNexthop(m)
	if !ok {
		return netstate.Event{}, false
	}
	if w.near.Load().used[id] {
		return netstate.Event{Facts: true}, true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	o, ours := w.hops.objects[id]
	return netstate.Event{}, ours && (gone || protocol != owned.RouteProtocol || h != o.hop)
}
