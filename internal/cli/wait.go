package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/api"
)

// waitPause is the time between two questions to the agent.
const waitPause = 200 * time.Millisecond

// condition returns why s does not meet it yet, "" if it does.
type condition func(s api.Status) string

// waiter is what the wait commands share.
type waiter struct {
	dirs  dirSettings
	limit time.Duration
}

func newWaitCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "wait",
		Short: "Wait until the agent is ready, reaches a peer, or a change is complete",
		Long: `Wait until a condition holds as the agent of this host sees it. An agent that does
not run yet is waited for as well.

The exit code is 0 as soon as the condition holds, 1 if it does not hold within
--timeout, with the reason, and 2 for a wrong command line.`,
		Example: `  weft wait ready --timeout=2m
  weft wait peer h2
  weft wait config`,
	}, newWaitReadyCommand(), newWaitPeerCommand(), newWaitConfigCommand())
}

func newWaitReadyCommand() *cobra.Command {
	var w waiter
	cmd := &cobra.Command{
		Use:   "ready",
		Short: "Wait until this host's agent is ready",
		Long: `Wait until this host is reached as it advertises: the state is ready or degraded,
as in /readyz.`,
		Example: "  weft wait ready\n  systemctl start weft && weft wait ready --timeout=2m && systemctl restart docker",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return w.until(cmd, "the agent", isReady) },
	}
	w.flags(cmd, addRunDirFlag)
	return cmd
}

func newWaitPeerCommand() *cobra.Command {
	var w waiter
	cmd := &cobra.Command{
		Use:   "peer NAME|SUBNET",
		Short: "Wait until there is a path to a peer",
		Long: `Wait until the agent has a path to every subnet of a peer. The peer is named by its
host name, one of its subnets, or the address that it advertises.`,
		Example: "  weft wait peer h2\n  weft wait peer 10.5.7.0/24 --timeout=30s",
		Args:    oneArgument("a host name or a subnet", "weft wait peer 10.5.7.0/24"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return w.until(cmd, "peer "+oneLine(args[0]), reaches(args[0]))
		},
		ValidArgsFunction: completePeers,
	}
	w.flags(cmd, addRunDirFlag)
	return cmd
}

func newWaitConfigCommand() *cobra.Command {
	var w waiter
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Wait until every host has switched to the stored config",
		Long: `Wait until the agent uses the config that the store holds when this command
starts, every host has switched to its backend, and this host accepts no former
backend any more. flanneld switches when it is restarted.`,
		Example: "  weft wait config\n  weft config set Backend.Type=host-gw && weft wait config --timeout=5m",
		Args:    cobra.NoArgs,
	}
	w.flags(cmd, addDirFlags)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := w.until(cmd, "the agent", func(api.Status) string { return "" }); err != nil {
			return err
		}
		x := access{dirSettings: w.dirs, onceSettings: onceSettings{timeout: w.limit}}
		snap, err := x.snapshot(cmd, false)
		if err != nil {
			return err
		}
		return w.until(cmd, "all hosts", hasSwitched(snap.ConfigRevision))
	}
	return cmd
}

func (w *waiter) flags(cmd *cobra.Command, dirs func(*flag.FlagSet, *dirSettings)) {
	fs := newFlagSet()
	dirs(fs, &w.dirs)
	fs.Var(newValue(&w.limit, "duration", "1m", parseDuration), "timeout", "give up after this time")
	takeFlags(cmd, fs)
}

// until asks the agent until what it says meets the condition.
func (w *waiter) until(cmd *cobra.Command, what string, met condition) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), w.limit)
	defer cancel()
	return waiting(cmd.ErrOrStderr(), what, func() error {
		ticks := time.NewTicker(waitPause)
		defer ticks.Stop()
		reason := ""
		for {
			next, err := w.ask(ctx, met)
			switch {
			case err == nil && next == "":
				return nil
			case ctx.Err() != nil, timedOut(err): // the time was over before the answer
			case err != nil:
				return err
			default:
				reason = next
			}
			select {
			case <-ctx.Done():
				return w.gaveUp(cmd.Context(), reason)
			case <-ticks.C:
			}
		}
	})
}

// ask returns why the condition is not met. An agent that does not run yet is a
// reason, not an error.
func (w *waiter) ask(ctx context.Context, met condition) (string, error) {
	agent, err := api.DialDir(ctx, w.dirs.runDir)
	if _, none := errors.AsType[*api.NotRunningError](err); none && !timedOut(err) {
		return err.Error(), nil
	}
	if err != nil {
		return "", err
	}
	defer agent.Close()
	s, err := agent.Status(ctx)
	if err != nil {
		return "", err
	}
	return met(s), nil
}

// timedOut reports whether err is that of a connection whose time was over,
// which can come a moment before its context ends.
func timedOut(err error) bool {
	network, ok := errors.AsType[net.Error](err)
	return ok && network.Timeout()
}

// gaveUp is the error after the last question: ctx is the command's own.
func (w *waiter) gaveUp(ctx context.Context, reason string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if reason == "" {
		reason = "the agent did not answer"
	}
	return withHint(fmt.Errorf("not within %s: %s", w.limit, reason), "see 'weft status'; --timeout allows more time")
}

func isReady(s api.Status) string {
	if s.Ready {
		return ""
	}
	return "not ready: " + orNone(firstLine(s.NotReady))
}

// reaches is the condition that there is a path to all subnets of the peer that
// name means.
func reaches(name string) condition {
	return func(s api.Status) string {
		i := slices.IndexFunc(s.Peers, func(p api.Peer) bool { return isNamed(p, name) })
		if i < 0 {
			return fmt.Sprintf("no peer has the name, subnet or address %s", oneLine(name))
		}
		problem := ""
		if s.Peers[i].Problem != "" {
			problem = ": " + firstLine(s.Peers[i].Problem)
		}
		for _, path := range pathsOf(s.Peers[i]) {
			if path.Kind == pathNone {
				return fmt.Sprintf("no path to %s%s", path.Subnet, problem)
			}
		}
		return ""
	}
}

func isNamed(p api.Peer, name string) bool {
	return p.Name == name ||
		slices.ContainsFunc(p.Subnets, func(s netip.Prefix) bool { return s.String() == name }) ||
		slices.ContainsFunc(p.Public, func(a netip.Addr) bool { return a.String() == name })
}

// hasSwitched is the condition that the change to the config of a store revision
// is complete.
func hasSwitched(revision int64) condition {
	return func(s api.Status) string {
		switch c := s.Change; {
		case s.Revision < revision:
			return "the agent has not seen the stored config yet"
		case c.Done < c.Total || len(c.Former) > 0:
			return changeLine(c)
		}
		return ""
	}
}
