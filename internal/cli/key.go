package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/api"
)

func newKeyCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "key",
		Short: "Show or replace this host's WireGuard key",
		Long: `Each host has a key pair for WireGuard. The private key is in the agent's state
directory, the public one in the store, whatever the backend.`,
		Example: `  weft key show
  weft key rotate`,
	}, newKeyShowCommand(), newKeyRotateCommand())
}

// keyDocument is a key for programs.
type keyDocument struct {
	header
	api.Key
}

func newKeyShowCommand() *cobra.Command {
	var dirs dirSettings
	var once onceSettings
	var output string
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show this host's public key, and how old it is",
		Long: `Show the public key of this host, how old the key pair is, and whether it is
being replaced. The private key is never shown.`,
		Example: "  weft key show\n  weft key show -o json | jq -r .publicKey",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return askAgent(cmd, dirs, once, func(ctx context.Context, agent *api.Client) error {
				k, err := agent.Key(ctx)
				if err != nil {
					return err
				}
				w := cmd.OutOrStdout()
				return present(w, output, keyDocument{newHeader("Key"), k}, func() error {
					fmt.Fprintf(w, "public key  %s\n", oneLine(k.PublicKey))
					fmt.Fprintf(w, "age         %s\n", since(k.Made, time.Now()))
					if k.Next != "" {
						fmt.Fprintf(w, "next        %s\n", oneLine(k.Next))
					}
					return nil
				})
			})
		},
	}
	fs := newFlagSet()
	addRunDirFlag(fs, &dirs)
	addOnceFlags(fs, &once)
	takeFlags(cmd, fs)
	addOutputFlag(cmd, &output)
	return cmd
}

func newKeyRotateCommand() *cobra.Command {
	var dirs dirSettings
	var once onceSettings
	var output string
	var older time.Duration
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Replace this host's WireGuard key, without losing a packet",
		Long: `Replace this host's key pair for WireGuard, and wait until the store has the new
public key and the former private key is gone. While peers learn of the new key,
some tens of milliseconds, packets to them wait in the device, up to 128 for each
peer.

Rotate one host after another; the keys of one host follow each other by ten
seconds at least. The agent completes what a time-out or a sudden end has
interrupted, and a second command waits for the replacement under way.

The exit code is 0 when the key is replaced or not older than --older-than, 1 if
that failed or is not complete within --timeout, and 2 for a wrong command line.`,
		Example: `  weft key rotate
  weft key rotate --older-than=2160h   # for a timer: only when it is 90 days old
  weft key rotate -o json | jq -r .publicKey`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if older < 0 {
				return usagef("--older-than %s: must not be negative", older)
			}
			return askAgent(cmd, dirs, once, func(ctx context.Context, agent *api.Client) error {
				k, err := rotateKey(ctx, cmd, agent, older)
				if err != nil {
					return err
				}
				w := cmd.OutOrStdout()
				return present(w, output, keyDocument{newHeader("Key"), k}, func() error {
					if !k.Rotated {
						return conclude(w, fmt.Sprintf("kept public key %s, made %s ago", oneLine(k.PublicKey), since(k.Made, time.Now())))
					}
					return conclude(w, "rotated; public key "+oneLine(k.PublicKey))
				})
			})
		},
	}
	fs := newFlagSet()
	addRunDirFlag(fs, &dirs)
	fs.Var(newValue(&once.timeout, "duration", "30s", parseDuration), "timeout", "time limit of the command")
	takeFlags(cmd, fs)
	cmd.Flags().DurationVar(&older, "older-than", 0, "replace the key only if it is this old, such as 720h; 0: in any case")
	addOutputFlag(cmd, &output)
	return cmd
}

// rotateKey has the agent replace its key and waits until it has.
func rotateKey(ctx context.Context, cmd *cobra.Command, agent *api.Client, older time.Duration) (k api.Key, err error) {
	err = waiting(cmd.ErrOrStderr(), "the store to take the new public key", func() error {
		for {
			k, err = agent.RotateKey(ctx, older)
			if err != nil || k.Next == "" {
				return err
			}
		}
	})
	if ctx.Err() != nil && cmd.Context().Err() == nil || errors.Is(err, context.DeadlineExceeded) {
		err = withHint(errors.New("the new key is made and not in use yet; the agent completes this by itself when the store answers"), "see 'weft status'; the same command waits for it, for longer with --timeout")
	}
	return k, err
}
