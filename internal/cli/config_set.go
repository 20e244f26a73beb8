package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
)

func newConfigSetCommand(a *app) *cobra.Command {
	r := replacing{app: a}
	var wait time.Duration
	var unset []string
	cmd := &cobra.Command{
		Use:   "set FILE|-|JSON|KEY=VALUE...",
		Short: "Store a network config, or change keys of the stored one",
		Long: fmt.Sprintf(`Check a network config and replace the stored one, or change single keys of that
with KEY=VALUE and --unset. Changes are shown key by key, followed by what they do
to running hosts: which lose their path to others, get a smaller MTU or another
subnet, or must be restarted. On a terminal weft then asks; elsewhere a config
that would cut hosts off is refused without --force.

An invalid config is refused, and so is one that would overwrite a concurrent
change. A VALUE is JSON, or else taken as a string.

The keys are:
%s

Running agents switch without a restart and without losing a packet: each accepts
packets of the new backend before it advertises it, sends to each peer with the
backend that the peer advertises, and accepts the old backend until all hosts have
switched. Leases do not tell a new Port with the same VNI: a host whose agent is
down, or takes more than ten seconds to switch, is not reachable through the tunnel
until it has switched.`, wrapped(netconf.Keys)),
		Example: `  weft config set Backend.VNI=2 Backend.Port=4789
  weft config set --unset Backend.DirectRouting
  weft config set --wait=2m '{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}'
  weft config set --dry-run net.json
  weft config set - < net.json`,
		Args: func(_ *cobra.Command, args []string) error {
			settings, partial := assignments(args)
			if len(settings) == len(args) && (partial || len(unset) > 0) || len(args) == 1 && len(unset) == 0 {
				return nil
			}
			return &usageError{
				err:  fmt.Errorf("'weft config set' needs one document, or KEY=VALUE arguments and --unset, but not both; got %d arguments", len(args)),
				hint: `for example: weft config set '{"Network": "10.5.0.0/16"}', or weft config set Backend.VNI=2`,
			}
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !forPeople(r.output) && !r.dryRun {
				return usagef("--output=%s prints what a change would do: it needs --dry-run", r.output)
			}
			settings, partial := assignments(args)
			partial = partial || len(unset) > 0
			var doc []byte
			var err error
			if !partial {
				if doc, err = readDocument(args[0], a.Stdin); err != nil {
					return err
				}
				if _, _, err := reviewDocument(doc, doc, true); err != nil {
					return err // before the store is asked
				}
			}
			snap, err := r.access.writable(cmd)
			if err != nil {
				return err
			}
			if partial {
				if doc, err = netconf.Edit(snap.Config, append(settings, removals(unset)...)...); err != nil {
					return fmt.Errorf("change the stored config: %w", err)
				}
			}
			net, err := r.replace(cmd, snap, doc)
			if err != nil || wait == 0 || r.dryRun {
				return err
			}
			r.access.timeout += wait
			return r.access.silently(cmd, false, func(ctx context.Context, st store.Store) error {
				return followChange(ctx, cmd.ErrOrStderr(), st, net, wait)
			})
		},
	}
	r.flags(cmd)
	addOutputFlag(cmd, &r.output)
	fs := newFlagSet()
	fs.Var(newValue(&wait, "duration", "0s", parseDuration), "wait", "wait up to this long until every host has switched; 0: do not wait")
	takeFlags(cmd, fs)
	cmd.Flags().StringArrayVar(&unset, "unset", nil, "remove this key; repeatable")
	cmd.ValidArgsFunction = completeKeys
	_ = cmd.RegisterFlagCompletionFunc("unset", cobra.FixedCompletions(netconf.Keys, cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that is not there
	return cmd
}

// wrapped lays words out in lines of a help text.
func wrapped(words []string) string {
	return "  " + strings.Join(wrapText(strings.Join(words, " "), plainWidth-2), "\n  ")
}
