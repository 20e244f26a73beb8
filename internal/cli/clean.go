package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/agent"
	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/offline"
)

// cleaner gathers what the clean command is told.
type cleaner struct {
	access
	up  settings // what 'weft up' was told
	how offline.Sweep
}

func newCleanCommand() *cobra.Command {
	var c cleaner
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Remove what weft made on this host",
		Long: `List the devices, addresses, neighbours, forwarding entries, routes, firewall
rules and files that weft made on this host, and remove them. What others made stays. So do this
host's identity and its lease, so that a new start finds its subnet again, and
the data of an embedded store. An agent that runs is left alone: stop it first.

With --firewall only weft's rules in the firewall are removed and all else stays,
also what flanneld has made: for a host that was handed back to flanneld.`,
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
	return withHint(fmt.Errorf("an agent runs in %s and would put back what is removed", runDir), "stop it first")
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
	fmt.Fprintf(w, "removed %d\n", n)
	return nil
}

// runFiles lists what an agent that is gone left in its run directory.
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
