package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/offline"
	"github.com/weft-net/weft/internal/store/kube"
	"github.com/weft-net/weft/internal/wgkey"
)

// exitTrouble is diff's exit code when it could not compare.
const exitTrouble = 2

// planner holds the plan command's flags.
type planner struct {
	access
	up     settings // what 'weft up' would be told
	diff   bool
	output string
	env    func(string) (string, bool)
	alone  bool // no other program is started

	storeless bool // the plan is computed from the state directory's copy alone
}

func newPlanCommand(a *app) *cobra.Command {
	p := planner{env: a.Env}
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show the desired state of this host's kernel",
		Long: `Show the desired state of this host's kernel: devices, addresses, neighbours,
forwarding entries, routes and firewall rules, one object per line. The running
agent is asked for its plan. Without an agent the plan is computed here, from the
store or from the state directory's copy of it, with the same flags as 'weft up'.
Nothing is changed.

With --diff the plan is compared with the kernel: + is missing, ~ is different,
- is stale. As with diff(1), the exit code is 0 if there is no difference, 1 if
there is one, and 2 if the comparison failed.`,
		Example: `  weft plan
  weft plan --diff
  weft plan -o json | jq -r '.objects[] | select(.kind == "route").text'
  weft plan --etcd-endpoints=http://10.0.0.5:2379 --iface=eth1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := p.run(cmd)
			if _, told := errors.AsType[*exitError](err); err != nil && p.diff && !told {
				err = &exitError{code: exitTrouble, err: err}
			}
			return err
		},
	}
	fs := newFlagSet()
	p.addPlanFlags(fs)
	addBool(fs, &p.diff, "diff", "false", "show how the kernel differs from the plan")
	takeFlags(cmd, fs)
	addOutputFlag(cmd, &p.output)
	return cmd
}

// addPlanFlags adds those by which a plan is found, or computed.
func (p *planner) addPlanFlags(fs *flag.FlagSet) {
	p.add(fs)
	addUplinkFlags(fs, &p.up.uplinkSettings)
	addTrafficFlags(fs, &p.up.trafficSettings)
	addExceptFlag(fs, &p.up.trafficSettings)
	addSubnetFileFlag(fs, &p.up)
}

func (p *planner) run(cmd *cobra.Command) error {
	ctx, cancel := p.context(cmd)
	defer cancel()
	k, err := openKernel(slog.New(slog.DiscardHandler), p.dirSettings, wgkey.Look(p.stateDir))
	if err != nil {
		return err
	}
	defer k.Close()
	seen, err := p.read(ctx, cmd, k)
	if err != nil {
		return err
	}
	for _, problem := range seen.Problems {
		fmt.Fprintf(cmd.ErrOrStderr(), "weft: problem: %s: %v\n", oneLine(problem.Subject), indented(problem.Err.Error()))
	}
	return p.show(cmd.OutOrStdout(), seen)
}

// show prints the plan or the difference. A plan can have 100,000 objects, of
// which a document is only made where it is asked for.
func (p *planner) show(w io.Writer, seen offline.Preview) (err error) {
	switch {
	case !p.diff && forPeople(p.output):
		return netstate.Format(w, seen.Want)
	case !p.diff:
		return present(w, p.output, planOf(seen.Want), nil)
	}
	ops := netstate.Diff(seen.Have, seen.Want)
	if forPeople(p.output) {
		err = showDiff(w, ops)
	} else {
		err = present(w, p.output, diffOf(ops), nil)
	}
	if err == nil && len(ops) > 0 {
		err = &exitError{code: exitFailure}
	}
	return err
}

func showDiff(w io.Writer, ops []netstate.Op) error {
	for _, op := range ops {
		paintChange(w, op.String())
	}
	if len(ops) == 0 {
		summarize(w, good, "the kernel does not differ from the plan")
	} else {
		summarize(w, bad, "%d changes would make the kernel equal to the plan", len(ops))
	}
	return nil
}

// read asks the running agent, else computes the plan itself.
func (p *planner) read(ctx context.Context, cmd *cobra.Command, k *kernel.Kernel) (offline.Preview, error) {
	client, err := running(ctx, p.runDir)
	if err != nil {
		return offline.Preview{}, err
	}
	if client != nil {
		defer client.Close()
		return p.ask(ctx, client, k)
	}
	seen, err := p.compute(ctx, cmd, k)
	if err == nil && seen.Chosen {
		fmt.Fprintf(cmd.ErrOrStderr(), "weft: this host has no lease yet; the plan assumes %s, which it might get\n",
			lease.FormatSubnets(seen.Self.Subnets))
	}
	return seen, err
}

func (p *planner) ask(ctx context.Context, client *api.Client, k *kernel.Kernel) (offline.Preview, error) {
	want, err := client.Plan(ctx)
	if err != nil || !p.diff {
		return offline.Preview{Want: want}, err
	}
	status, err := client.Status(ctx)
	if err != nil {
		return offline.Preview{}, err
	}
	have, err := k.Observe(ctx, netstate.ScopeOf(slices.Concat(status.Network, status.Former), want), netstate.AllKinds)
	return offline.Preview{Want: want, Have: have}, err
}

// compute plans without an agent. Without a store there may still be the copy
// of its last snapshot.
func (p *planner) compute(ctx context.Context, cmd *cobra.Command, k *kernel.Kernel) (seen offline.Preview, err error) {
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	p.self = kube.SelfFrom(p.env)
	p.chosen, p.up.dirSettings = anyGiven(cmd.Flags(), storeFlagPrefix), p.dirSettings
	o := agentOptions(&p.up, k, log)
	o.Keys = wgkey.Look(p.stateDir)
	if p.storeless {
		return offline.Plan(ctx, o)
	}
	err = waiting(cmd.ErrOrStderr(), "the store", func() error {
		st, err := p.open(ctx, false, log)
		if _, missing := errors.AsType[*noStoreError](err); err != nil && !missing {
			return err
		}
		if err == nil {
			o.Store = st
			defer st.Close()
		}
		seen, err = offline.Plan(ctx, o)
		return err
	})
	return seen, err
}
