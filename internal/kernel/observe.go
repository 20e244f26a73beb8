package kernel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// patience is how often a list is read again that changed while it was read.
const patience = 100

// Observe implements reconcile.Kernel. What it finds out about scope also
// governs Apply and Watch from then on.
func (k *Kernel) Observe(ctx context.Context, scope netstate.Scope, kinds netstate.Kinds) (*netstate.State, error) {
	s, err := k.observe(ctx, scope, kinds)
	if err != nil {
		return nil, fmt.Errorf("observe the kernel: %w", err)
	}
	if kinds.Has(netstate.FirewallKind) {
		if s.Firewall, err = k.rules(ctx, scope); err != nil {
			return nil, fmt.Errorf("observe the kernel: %w", err)
		}
	}
	if kinds.Has(netstate.FastKind) {
		if s.Fast, err = k.fast.Observe(scope.Table); err != nil {
			return nil, fmt.Errorf("observe the kernel: %w", err)
		}
	}
	found, err := s.State()
	if err != nil {
		return nil, fmt.Errorf("observe the kernel: %w", err)
	}
	return (&netstate.State{}).Replaced(kinds, found), nil
}

// observe returns all but the firewall. The devices are looked at in any case:
// they tell which neighbours and forwarding entries are ours.
func (k *Kernel) observe(ctx context.Context, scope netstate.Scope, kinds netstate.Kinds) (*netstate.Builder, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.view.Store(&view{scope: scope, own: k.view.Load().own})
	o := observer{Kernel: k, scope: scope, kinds: kinds, own: map[int32]string{}}
	for _, step := range []struct {
		kind netstate.Kinds
		read func() error
	}{
		{netstate.AllKinds, o.links}, {netstate.OffloadKind, o.offloads}, {netstate.NeighKind, o.neighs}, {netstate.FDBKind, o.forwarding},
		{netstate.RouteKind, o.nexthops}, {netstate.RouteKind, o.routes}, {netstate.SysctlKind, o.sysctls},
	} {
		if !kinds.Has(step.kind) {
			continue
		}
		if err := again(ctx, step.read); err != nil {
			return nil, err
		}
	}
	k.last = sizes{
		routes: max(len(o.state.Routes), k.last.routes), neighs: max(len(o.state.Neighs), k.last.neighs), fdb: max(len(o.state.FDB), k.last.fdb),
	}
	k.view.Store(&view{scope: scope, own: o.own})
	return &o.state, nil
}

// again repeats a step whose list the kernel interrupted.
func again(ctx context.Context, step func() error) error {
	for range patience {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(); !errors.Is(err, rtnl.ErrInterrupted) {
			return err
		}
	}
	return fmt.Errorf("%w, %d times over", rtnl.ErrInterrupted, patience)
}

// observer is one pass over the kernel. Each of its steps may be repeated.
type observer struct {
	*Kernel
	scope netstate.Scope
	kinds netstate.Kinds
	state netstate.Builder
	devs  *devices
	own   map[int32]string
}

// links finds the devices in scope and the addresses on ours.
func (o *observer) links() error {
	o.devs = newDevices(o.conn)
	clear(o.own)
	o.state.Links, o.state.Addrs, o.state.Peers, o.state.Allowed = nil, nil, nil, nil
	tunnels, err := readLinks(o.conn, netstate.KindVXLAN)
	if err != nil {
		return err
	}
	for _, l := range tunnels {
		o.devs.names[l.index] = l.Name
		if err := o.tunnel(l); err != nil {
			return err
		}
	}
	if err := o.ipip(); err != nil {
		return err
	}
	for _, name := range owned.WireGuardDevices {
		if err := o.wireguard(name); err != nil {
			return err
		}
	}
	for _, name := range o.scope.Links {
		if err := o.foreign(name); err != nil {
			return err
		}
	}
	return nil
}

// tunnel takes up a vxlan or ipip device if it is ours.
func (o *observer) tunnel(l link) error {
	if !slices.Contains(o.scope.Links, l.Name) && !owned.IsDeviceName(l.Name) {
		return nil // whatever its addresses
	}
	ours, err := o.takeUp(l)
	if err != nil || !ours {
		return err
	}
	row := l.Link
	if row.Dev, err = o.devs.name(l.lower); err != nil {
		return err
	}
	o.state.Links = append(o.state.Links, row)
	return nil
}

// takeUp takes up the addresses of a device if it is ours, and reports whether it is.
func (o *observer) takeUp(l link) (ours bool, err error) {
	addrs, err := readAddresses(o.conn, l.index)
	if err != nil {
		return false, err
	}
	var rows []netstate.Addr
	var prefixes []netip.Prefix
	for _, a := range addrs {
		if isManaged(a) {
			rows = append(rows, netstate.Addr{Prefix: a.Prefix, Dev: l.Name})
			prefixes = append(prefixes, a.Prefix)
		}
	}
	if !o.scope.Device(l.Name, prefixes) {
		return false, nil
	}
	o.own[l.index] = l.Name
	o.state.Addrs = append(o.state.Addrs, rows...)
	return true, nil
}

// foreign takes up the device of another kind that has the name of ours.
func (o *observer) foreign(name string) error {
	l, found, err := o.devs.named(name)
	if err != nil || !found || !l.Foreign() {
		return err
	}
	o.state.Links = append(o.state.Links, l.Link)
	return nil
}

func (o *observer) neighs() error {
	rows := make([]netstate.Neigh, 0, o.last.neighs)
	for index, name := range o.own {
		for _, f := range netconf.Families {
			err := readPermanent(o.conn, afOf(f), index, func(n codec.Neigh) { rows = append(rows, neighOf(n, name)) })
			if err != nil {
				return err
			}
		}
	}
	o.state.Neighs = rows
	return nil
}

func (o *observer) forwarding() error {
	rows := make([]netstate.FDB, 0, o.last.fdb)
	for index, name := range o.own {
		err := readPermanent(o.conn, unix.AF_BRIDGE, index, func(n codec.Neigh) {
			// Of several destinations of one MAC the first is used.
			if last := len(rows) - 1; last < 0 || rows[last].MAC != n.MAC || rows[last].Dev != name {
				rows = append(rows, fdbOf(n, name))
			}
		})
		if err != nil {
			return err
		}
	}
	o.state.FDB = rows
	return nil
}

func (o *observer) nexthops() error { return o.hops.dump(o.conn, o.scope) }

func (o *observer) routes() error {
	o.hops.unrefer()
	found := make([]codec.Route, 0, o.last.routes)
	for _, f := range families(o.scope) {
		err := readRoutes(o.conn, f, func(r codec.Route) {
			if !isManagedRoute(r, o.scope) {
				o.hops.refer(r.Nexthop) // maybe somebody else's, but it needs its nexthop
				return
			}
			r.Multipath = nil
			found = append(found, r)
		})
		if err != nil {
			return err
		}
	}
	return o.rows(found)
}

// rows turns routes into rows, once their devices can be asked for by name.
func (o *observer) rows(found []codec.Route) error {
	rows := make([]netstate.Route, 0, len(found))
	var rejecting []netstate.Route
	for _, r := range found {
		if isReject(r) {
			rejecting = append(rejecting, routeOf(r, ""))
			continue
		}
		if last := len(rows) - 1; last >= 0 && rows[last].Dst == r.Dst {
			o.hops.refer(r.Nexthop) // it stands behind another and is not used
			continue
		}
		o.hops.lead(r.Dst, r.Nexthop)
		r = o.hops.resolve(r)
		name, err := o.devs.name(r.Dev)
		if err != nil {
			return err
		}
		rows = append(rows, routeOf(r, name))
	}
	o.state.Routes = append(rows, rejecting...)
	o.hops.adopt()
	return nil
}

// families lists the families of scope's networks.
func families(scope netstate.Scope) []netconf.Family {
	present := map[netconf.Family]bool{}
	for _, n := range scope.Networks {
		present[netconf.FamilyOf(n.Addr())] = true
	}
	return slices.Sorted(maps.Keys(present))
}
