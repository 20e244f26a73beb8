package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/store"
)

// access is how a command that prints an answer and exits reaches the store.
type access struct {
	storeSettings
	dirSettings
	onceSettings
}

// flags adds the flags that choose the store to cmd, and explains them in its
// help.
func (x *access) flags(cmd *cobra.Command) {
	fs := newFlagSet()
	x.add(fs)
	takeFlags(cmd, fs)
	cmd.Long += `

The store is the one that an --etcd flag or variable names, or Kubernetes with
--kube-subnet-mgr; else the store of the agent running here; else the embedded
store of this host under --state-dir.`
}

func (x *access) add(fs *flag.FlagSet) {
	addStoreFlags(fs, &x.storeSettings)
	addKubeStoreFlags(fs, &x.kubeSettings)
	addDirFlags(fs, &x.dirSettings)
	addOnceFlags(fs, &x.onceSettings)
}

// with opens the store, runs work on it within the time allowed, and closes
// it. create allows an embedded store to be made that is not there yet.
func (x *access) with(cmd *cobra.Command, create bool, work func(context.Context, store.Store) error) error {
	var opened atomic.Value
	what := func() string {
		if w, ok := opened.Load().(interface{ Waiting() string }); ok && w.Waiting() != "" {
			return w.Waiting()
		}
		return "still waiting for the store"
	}
	return waitingOn(cmd.ErrOrStderr(), what, func() error {
		return x.silently(cmd, create, func(ctx context.Context, st store.Store) error {
			opened.Store(st)
			return work(ctx, st)
		})
	})
}

// silently is like with, for work that prints its own progress.
func (x *access) silently(cmd *cobra.Command, create bool, work func(context.Context, store.Store) error) error {
	ctx, cancel := x.context(cmd)
	defer cancel()
	x.chosen = anyGiven(cmd.Flags(), storeFlagPrefix)
	st, err := x.open(ctx, create, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	err = work(ctx, st)
	if closing := st.Close(); err == nil && closing != nil {
		err = fmt.Errorf("close the store: %w", closing)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return withHint(err, "%s; --timeout allows more time", x.where())
	case errors.Is(err, store.ErrUnreachable):
		return withHint(err, "%s", x.where())
	}
	return err
}

// snapshot reads the store once.
func (x *access) snapshot(cmd *cobra.Command, create bool) (snap store.Snapshot, err error) {
	err = x.with(cmd, create, func(ctx context.Context, st store.Store) error {
		snap, err = st.Snapshot(ctx)
		return err
	})
	return snap, err
}

// writable reads the store once, if its config can be written at all: nobody
// should edit in vain.
func (x *access) writable(cmd *cobra.Command) (snap store.Snapshot, err error) {
	err = x.with(cmd, true, func(ctx context.Context, st store.Store) error {
		if fixed, ok := st.(interface{ ReadOnly() error }); ok {
			return fixed.ReadOnly()
		}
		snap, err = st.Snapshot(ctx)
		return err
	})
	return snap, err
}

// where says what to check when the store does not answer.
func (x *access) where() string {
	if x.subnetMgr {
		return "check --kubeconfig-file or --kube-api-url, and that the API server runs there"
	}
	return "check --etcd-endpoints and that etcd runs there"
}
