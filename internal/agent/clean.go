package agent

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/reconcile"
	"github.com/weft-net/weft/internal/subnetenv"
)

// Cleaning is what Clean removed or, on a dry run, would remove.
type Cleaning struct {
	Ops      []netstate.Op
	Files    []string
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
func Clean(ctx context.Context, o Options, how Sweep) (Cleaning, error) {
	mem, err := recall(o.StateDir)
	if err != nil {
		o.Log.Warn("cleaning without the record of former networks", "error", err)
	}
	foreign := mem.learn(ctx, o)
	want := reconcile.Want{State: &netstate.State{}, Scope: mem.scope(&netstate.State{})}
	have, err := o.Kernel.Observe(ctx, want.Scope, netstate.AllKinds)
	if err != nil {
		return Cleaning{}, err
	}
	if how.Firewall {
		return sweepFirewall(ctx, o.Kernel, have.Firewall, how.Dry)
	}
	c := Cleaning{Ops: netstate.Diff(have, want.State), Files: leftovers(o, foreign)}
	if how.Dry {
		return c, nil
	}
	pass := reconcile.Once(ctx, o.Kernel, want)
	c.Failures = pass.Failures
	if !pass.Converged() {
		return c, passError(pass)
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
// the state directory's record knows none. It alone decides where it can: the
// file and the store may be those of another agent of this host. It reports
// whether the subnet file is.
func (m *memory) learn(ctx context.Context, o Options) (foreignFile bool) {
	known := len(m.Networks) > 0
	env, err := subnetenv.Read(o.SubnetFile)
	if err == nil && known {
		return !slices.ContainsFunc(env.Networks, func(n netip.Prefix) bool { return slices.Contains(m.Networks, n) })
	}
	if err == nil {
		m.served(env.Networks, &netstate.State{})
	}
	if len(m.Networks) > 0 || o.Store == nil {
		return false
	}
	snap, err := o.Store.Snapshot(ctx)
	if err != nil {
		o.Log.Warn("cleaning without knowing the network", "error", err)
		return false
	}
	if net, err := netconf.Parse(snap.Config); err == nil {
		m.served(net.Prefixes(), &netstate.State{})
	}
	return false
}

// leftovers returns the files of weft's that exist, but not a foreign subnet
// file. The identity stays: with it the host finds its subnet again. So does
// an embedded store's data.
func leftovers(o Options, foreignFile bool) []string {
	var out []string
	for _, path := range []string{o.SubnetFile, filepath.Join(o.StateDir, memoryFile)} {
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
