package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/agent"
	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/identity"
	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/offline"
)

// cleaner holds the clean command's flags.
type cleaner struct {
	access
	up  settings // what 'weft up' was told
	how offline.Sweep
}

func newCleanCommand() *cobra.Command {
	var c cleaner
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Remove everything that weft created on this host",
		Long: `List and remove the devices, addresses, neighbours, forwarding entries, routes,
firewall rules and files that weft created on this host, and restore the kernel
parameters that it changed. Objects of other programs stay. This host's identity and
lease stay too, so that it gets the same subnet again, and so does the data of an
embedded store: the command lists that, and how to release the lease. Stop the agent
first; the command fails while an agent is running.

With --firewall only weft's firewall rules are removed: for a host that runs
flanneld again.`,
		Example: "  weft clean --dry-run\n  weft clean\n  weft clean --firewall",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := c.context(cmd)
			defer cancel()
			return c.run(ctx, cmd)
		},
	}
	fs := newFlagSet()
	c.add(fs)
	addSubnetFileFlag(fs, &c.up)
	addBool(fs, &c.how.Dry, "dry-run", "false", "only list what would be removed")
	addBool(fs, &c.how.Firewall, "firewall", "false", "remove nothing but weft's firewall rules")
	takeFlags(cmd, fs)
	return cmd
}

func (c *cleaner) run(ctx context.Context, cmd *cobra.Command) (err error) {
	if err := refuseWhileRunning(ctx, c.runDir); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	k, err := kernel.New(log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	c.up.dirSettings = c.dirSettings
	o := agentOptions(&c.up, k, log)
	if c.chosen = anyGiven(cmd.Flags(), storeFlagPrefix); c.chosen {
		if o.Store, err = c.open(ctx, false, log); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, o.Store.Close()) }()
	}
	return clean(ctx, cmd.OutOrStdout(), o, c.how)
}

func refuseWhileRunning(ctx context.Context, runDir string) error {
	agent, err := running(ctx, runDir)
	if err != nil || agent == nil {
		return err
	}
	agent.Close()
	return withHint(fmt.Errorf("an agent is running in %s and would restore what is removed", runDir), "stop the agent first")
}

func clean(ctx context.Context, w io.Writer, o agent.Options, how offline.Sweep) error {
	found, err := offline.Clean(ctx, o, offline.Sweep{Dry: true, Firewall: how.Firewall})
	if err != nil {
		return err
	}
	var files []string
	if !how.Firewall {
		files = runFiles(o.RunDir)
	}
	for _, op := range found.Ops {
		fmt.Fprintln(w, op)
	}
	for _, file := range append(found.Files, files...) {
		fmt.Fprintln(w, "- file", file)
	}
	if !how.Firewall {
		tellStays(w, found.Lease, o.StateDir)
	}
	n := len(found.Ops) + len(found.Files) + len(files)
	switch {
	case n == 0:
		fmt.Fprintln(w, "nothing to remove")
		return nil
	case how.Dry:
		return nil
	}
	if _, err := offline.Clean(ctx, o, how); err != nil {
		return fmt.Errorf("clean: %w", err)
	}
	if err := removeFiles(files); err != nil {
		return fmt.Errorf("clean: %w", err)
	}
	fmt.Fprintf(w, "removed %d objects and files\n", n)
	return nil
}

// tellStays lists what clean leaves, by which this host gets its subnet again, and
// how to release it.
func tellStays(w io.Writer, leased []netip.Prefix, stateDir string) {
	for _, subnet := range leased {
		fmt.Fprintf(w, "stays: the lease of %s; release it with: weft lease release %s\n", subnet, subnet)
	}
	for _, kept := range []struct{ path, what string }{
		{identity.File(stateDir), "this host's identity, which finds the lease again"},
		{embeddedDir(stateDir), "the embedded etcd, with config and leases"},
	} {
		if _, err := os.Lstat(kept.path); err == nil {
			fmt.Fprintf(w, "stays: %s: %s\n", kept.path, kept.what)
		}
	}
}

// runFiles lists what a stopped agent left in its run directory.
func runFiles(runDir string) []string {
	var out []string
	for _, name := range []string{recordName, api.SocketName, api.SocketName + ".lock"} {
		file := filepath.Join(runDir, name)
		if _, err := os.Lstat(file); err == nil {
			out = append(out, file)
		}
	}
	return out
}

func removeFiles(files []string) error {
	var errs []error
	for _, file := range files {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
