package offline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/weft-net/weft/internal/agent"
	"github.com/weft-net/weft/internal/identity"
	"github.com/weft-net/weft/internal/intent"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/persister"
	"github.com/weft-net/weft/internal/reconcile"
	"github.com/weft-net/weft/internal/subnetenv"
	"github.com/weft-net/weft/internal/wgkey"
)

// Cleaning is what Clean removed or, on a dry run, would remove.
type Cleaning struct {
	Ops      []netstate.Op
	Files    []string
	Lease    []netip.Prefix // subnets that stay leased to this host; none if they are not known, or a cluster assigns them
	Failures []reconcile.Failure
}

// Sweep says how Clean goes about it.
type Sweep struct {
	Dry bool // only list
	// Firewall leaves everything but weft's own firewall rules, also what
	// flanneld has made: it is for a host that flanneld has taken over again.
	Firewall bool
}

// Clean lists what weft made on this host and, unless dry, removes it. The
// host's lease stays in the store, so that the host finds its subnet again.
func Clean(ctx context.Context, o agent.Options, how Sweep) (Cleaning, error) {
	if _, err := os.Stat(o.StateDir); err == nil {
		lock, err := identity.Lock(o.StateDir)
		if err != nil {
			return Cleaning{}, fmt.Errorf("lock the state directory (--state-dir): %w", err)
		}
		defer lock.Close() // nothing was written to it
	}
	_, persisted := persister.Open(o.StateFile(), o.Log)
	owns, foreign := learn(ctx, o, persisted.Owns)
	want := reconcile.Want{State: &netstate.State{}, Scope: owns.Scope(&netstate.State{})}
	params := persisted.Overwritten.Since(identity.Mark(lease.Owner{}).Boot)
	want.Scope.Sysctls = params.Names()
	have, err := o.Kernel.Observe(ctx, want.Scope, netstate.AllKinds)
	if err != nil {
		return Cleaning{}, err
	}
	if how.Firewall {
		return sweepFirewall(ctx, o.Kernel, have.Firewall, how.Dry)
	}
	former := netstate.Builder{Sysctls: params.Former(have)}
	if want.State, err = former.State(); err != nil {
		return Cleaning{}, err
	}
	c := Cleaning{Ops: netstate.Diff(have, want.State), Files: leftovers(o, foreign)}
	if persisted.Self != nil && persisted.Snapshot.Assigned == nil {
		c.Lease = persisted.Self.Subnets
	}
	if how.Dry {
		return c, nil
	}
	pass := reconcile.Once(ctx, o.Kernel, want)
	if pass.Converged() && want.State.Sysctls.Len() > 0 {
		pass = reconcile.Once(ctx, o.Kernel, want) // one parameter may have changed another
	}
	c.Failures = pass.Failures
	if !pass.Converged() {
		return c, pass.Fault()
	}
	return c, remove(c.Files)
}

// sweepFirewall removes weft's rules, but nothing of flanneld's.
func sweepFirewall(ctx context.Context, k reconcile.Kernel, have netstate.Firewall, dry bool) (Cleaning, error) {
	have.Leftovers = netstate.Table[netstate.Leftover]{}
	c := Cleaning{Ops: netstate.Diff(&netstate.State{Firewall: have}, &netstate.State{})}
	if dry || len(c.Ops) == 0 {
		return c, nil
	}
	return c, errors.Join(k.Apply(ctx, c.Ops)...)
}

// learn adds the networks that the subnet file or else the store tells of, if
// the agent's record knows none. It alone decides where it can: the file and
// the store may be those of another agent of this host. It reports whether the
// subnet file is.
func learn(ctx context.Context, o agent.Options, owns intent.Ownership) (_ intent.Ownership, foreignFile bool) {
	known := len(owns.Networks) > 0
	env, err := subnetenv.Read(o.SubnetFile)
	if err == nil && known {
		return owns, !slices.ContainsFunc(env.Networks, func(n netip.Prefix) bool { return slices.Contains(owns.Networks, n) })
	}
	if err == nil {
		owns = owns.With(env.Networks, &netstate.State{})
	}
	if len(owns.Networks) > 0 || o.Store == nil {
		return owns, false
	}
	snap, err := o.Store.Snapshot(ctx)
	if err != nil {
		o.Log.Warn("cleaning without knowing the network", "error", err)
		return owns, false
	}
	if net, err := netconf.Parse(snap.Config); err == nil {
		owns = owns.With(net.Prefixes(), &netstate.State{})
	}
	return owns, false
}

// leftovers returns the files of weft's that exist, but not a foreign subnet
// file. The identity stays: with it the host finds its subnet again. So does
// an embedded store's data.
func leftovers(o agent.Options, foreignFile bool) []string {
	var out []string
	for _, path := range []string{o.SubnetFile, o.StateFile(), o.EventsFile(), filepath.Join(o.StateDir, wgkey.FileName), filepath.Join(o.StateDir, wgkey.NextName)} {
		if foreignFile && path == o.SubnetFile {
			continue
		}
		if _, err := os.Lstat(path); err == nil {
			out = append(out, path)
		}
	}
	return out
}

func remove(files []string) error {
	var errs []error
	for _, path := range files {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
