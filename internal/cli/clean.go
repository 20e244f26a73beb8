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
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/agent"
	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/offline"
)

// cleaner holds the clean command's flags.
type cleaner struct {
	access
	up     settings // what 'weft up' was told
	how    offline.Sweep
	output string
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
		Example: "  weft clean --dry-run\n  weft clean --dry-run -o json\n  weft clean\n  weft clean --firewall",
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
	addOutputFlag(cmd, &c.output)
	return cmd
}

// cleanPatience is how long clean waits for a program, on a busy host or while
// another program holds the lock of iptables-legacy's tables.
const cleanPatience = time.Minute

func (c *cleaner) run(ctx context.Context, cmd *cobra.Command) (err error) {
	if err := refuseWhileRunning(ctx, c.runDir); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	k, err := openKernel(log, c.dirSettings, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	k.SetPatience(cleanPatience)
	c.up.dirSettings = c.dirSettings
	o := agentOptions(&c.up, k, log)
	if c.chosen = anyGiven(cmd.Flags(), storeFlagPrefix); c.chosen {
		if o.Store, err = c.open(ctx, false, log); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, o.Store.Close()) }()
	}
	return clean(ctx, cmd.OutOrStdout(), c.output, o, c.how)
}

func refuseWhileRunning(ctx context.Context, runDir string) error {
	agent, err := running(ctx, runDir)
	if err != nil || agent == nil {
		return err
	}
	agent.Close()
	return withHint(fmt.Errorf("an agent is running in %s and would restore what is removed", runDir), "stop the agent first")
}

// clean removes what it lists, unless how is dry, and prints the list.
func clean(ctx context.Context, w io.Writer, output string, o agent.Options, how offline.Sweep) error {
	found, err := offline.Clean(ctx, o, offline.Sweep{Dry: true, Firewall: how.Firewall})
	if err != nil {
		return err
	}
	doc := cleanDocument{header: newHeader("Clean"), DryRun: how.Dry, Changes: changesOf(found.Ops), Files: found.Files}
	var files []string
	if !how.Firewall {
		files = runFiles(o.RunDir)
		doc.Files = append(doc.Files, files...)
		doc.Stays = staysOf(found.Lease, o.StateDir)
	}
	if forPeople(output) {
		listCleaned(w, found.Ops, doc)
	}
	n := len(doc.Changes) + len(doc.Files)
	if n > 0 && !how.Dry {
		_, err := offline.Clean(ctx, o, how)
		if err == nil {
			err = removeFiles(files)
		}
		if err != nil {
			return fmt.Errorf("clean: %w", err)
		}
	}
	return present(w, output, doc, func() error {
		switch {
		case n == 0:
			fmt.Fprintln(w, "nothing to remove")
		case !how.Dry:
			fmt.Fprintf(w, "removed %d objects and files\n", n)
		}
		return nil
	})
}

// listCleaned prints what is removed, one object or file per line, and what stays.
func listCleaned(w io.Writer, ops []netstate.Op, doc cleanDocument) {
	for _, op := range ops {
		fmt.Fprintln(w, op)
	}
	for _, file := range doc.Files {
		fmt.Fprintln(w, "- file", file)
	}
	for _, s := range doc.Stays {
		fmt.Fprintln(w, "stays:", s.text())
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
