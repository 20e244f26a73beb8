package agent

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

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

// Clean lists what weft made on this host and, unless dry, removes it. The
// host's lease stays in the store, so that the host finds its subnet again.
func Clean(ctx context.Context, o Options, dry bool) (Cleaning, error) {
	mem, err := recall(o.StateDir)
	if err != nil {
		o.Log.Warn("cleaning without the record of former networks", "error", err)
	}
	if o.Store != nil {
		if snap, err := o.Store.Snapshot(ctx); err == nil && snap.Config != nil {
			mem.Snapshot = snap
		}
	}
	if net, err := netconf.Parse(mem.Snapshot.Config); err == nil {
		mem.served(net.Prefixes(), &netstate.State{})
	}
	env, err := subnetenv.Read(o.SubnetFile)
	if err == nil {
		mem.served(env.Networks, &netstate.State{})
	}
	want := reconcile.Want{State: &netstate.State{}, Scope: mem.scope(&netstate.State{})}
	have, err := o.Kernel.Observe(ctx, want.Scope)
	if err != nil {
		return Cleaning{}, err
	}
	c := Cleaning{Ops: netstate.Diff(have, want.State), Files: leftovers(o)}
	if dry {
		return c, nil
	}
	pass := reconcile.Once(ctx, o.Kernel, want)
	c.Failures = pass.Failures
	if !pass.OK() {
		return c, passError(pass)
	}
	return c, remove(c.Files)
}

// leftovers returns the files of weft's that exist. The identity stays: with
// it the host finds its subnet again. So does an embedded store's data.
func leftovers(o Options) []string {
	var out []string
	for _, path := range []string{o.SubnetFile, filepath.Join(o.StateDir, memoryFile)} {
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
