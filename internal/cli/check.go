package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/check"
	"github.com/weft-net/weft/internal/explain"
	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/store/etcd"
	"github.com/weft-net/weft/internal/wgkey"
)

// checker holds the check command's flags.
type checker struct {
	planner
	given string // version that the linker set
	peers bool   // the agents of other hosts are asked, too
}

func newChecker(a *app) checker { return checker{planner: planner{env: a.Env}, given: a.Version} }

func newCheckCommand(a *app) *cobra.Command {
	c := newChecker(a)
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check everything that must hold on this host, or on all",
		Long: `Check everything that must hold on this host: agent, clock, store, lease, uplink,
kernel and its parameters, weft's own objects, the firewalls that tunnelled packets
come by, MTU, encryption, addresses, the container runtimes' bridges, the ways to
peers, and versions. Each line that fails has a remedy. Nothing is changed.

Where packets to peers are to be encrypted, one with random bytes is sent to each,
and all devices are watched for these bytes.

With --peers the agents of the other hosts are asked for the same. They answer if
the network's config has a PeerPort. A host that does not answer is unknown: nothing
is concluded from that.

The exit code is 0 if nothing failed, 1 if something did on this host or another,
and 2 for a wrong command line. Warnings, what cannot be told from this host, and
hosts that do not answer do not fail.`,
		Example: `  weft check
  weft check --peers --timeout=1m
  weft check -o json | jq -r '.results[] | select(.state == "failed").text'
  weft check && systemctl restart docker`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd) },
	}
	fs := newFlagSet()
	c.addPlanFlags(fs)
	takeFlags(cmd, fs)
	addOutputFlag(cmd, &c.output)
	cmd.Flags().BoolVar(&c.peers, "peers", false, "ask the agents of the other hosts, too")
	return cmd
}

func (c *checker) run(cmd *cobra.Command) error {
	ctx, cancel := c.context(cmd)
	defer cancel()
	k, err := openKernel(slog.New(slog.DiscardHandler), c.dirSettings, wgkey.Look(c.stateDir))
	if err != nil {
		return err
	}
	defer k.Close()
	var f check.Facts
	err = waiting(cmd.ErrOrStderr(), "agent, kernel and store", func() (err error) {
		f, err = c.checkFacts(ctx, cmd, k, true)
		return err
	})
	if err != nil {
		return err
	}
	doc := checkOf(check.Run(f))
	if c.peers {
		c.addHosts(ctx, cmd.ErrOrStderr(), &doc, &f.Status)
	}
	w := cmd.OutOrStdout()
	err = present(w, c.output, doc, func() error { return errors.Join(showCheck(w, doc.Results), showHosts(w, doc.Hosts)) })
	if err == nil && !doc.Passed {
		err = &exitError{code: exitFailure}
	}
	return err
}

// addHosts adds what the other hosts say of themselves.
func (c *checker) addHosts(ctx context.Context, errOut io.Writer, doc *checkDocument, s *api.Status) {
	hosts, err := askPeers(ctx, errOut, s)
	if err != nil {
		doc.Results = append(doc.Results, check.Result{
			Name: "other hosts", State: check.Failed, Text: err.Error(), Remedy: "weft config set PeerPort=4250, with an agent running on this host",
		})
	}
	doc.Hosts = hosts
	doc.Passed = !check.Fails(doc.Results) && failedHosts(hosts) == 0
}

// checkFacts gathers what the checks go by. legacy: the iptables-legacy program may be run.
func (c *checker) checkFacts(ctx context.Context, cmd *cobra.Command, k *kernel.Kernel, legacy bool) (f check.Facts, err error) {
	f.Version = readBuild(c.given).Version
	g, err := c.gather(ctx, cmd, k, legacy)
	if err != nil {
		return f, err
	}
	f.Facts = g.Facts
	if g.planErr != nil {
		f.PlanErr = g.planErr.Error()
	}
	if !f.Agent {
		f.AgentErr = "no agent answers in " + c.runDir
	}
	if f.Drift, err = driftOf(ctx, k, f.Facts); err != nil {
		return f, err
	}
	f.Skew, err = c.skew(ctx, cmd, f.Facts)
	if err != nil {
		f.SkewErr = err.Error()
	}
	sendMarks(ctx, &f)
	return f, nil
}

// driftOf lists what differs between kernel and plan.
func driftOf(ctx context.Context, k *kernel.Kernel, f explain.Facts) (out []string, err error) {
	if f.Plan == nil {
		return nil, nil
	}
	scope := netstate.ScopeOf(slices.Concat(f.Status.Network, f.Status.Former), f.Plan)
	have, err := k.Observe(ctx, scope, netstate.AllKinds)
	if err != nil {
		return nil, err
	}
	for _, op := range netstate.Diff(have, f.Plan) {
		out = append(out, op.String())
	}
	return out, nil
}

// skew compares this host's clock with that of the store of the agent, or of the flags.
func (c *checker) skew(ctx context.Context, cmd *cobra.Command, f explain.Facts) (ahead time.Duration, err error) {
	s := c.storeSettings
	s.chosen = anyGiven(cmd.Flags(), storeFlagPrefix)
	if !s.chosen && f.Agent {
		if s, err = readRecord(c.runDir); err != nil {
			return 0, errors.New("the agent's store is not known")
		}
	}
	return skewOf(ctx, s, f.Status.Store.Kind)
}

// skewOf compares this host's clock with that of a store of a kind.
func skewOf(ctx context.Context, s storeSettings, kind string) (ahead time.Duration, err error) {
	switch {
	case s.subnetMgr:
		return 0, errors.New("the Kubernetes API is not asked")
	case kind == kindEmbedded:
		return 0, errors.New("the store is on this host")
	case len(s.endpoints) == 0:
		return 0, errors.New("no etcd is known")
	}
	return etcd.Skew(ctx, s.etcdOptions(slog.New(slog.DiscardHandler)))
}

// checkDocument is the outcome of all checks for programs.
type checkDocument struct {
	header
	Passed  bool           `json:"passed"` // nothing failed
	Results []check.Result `json:"results"`
	Hosts   []hostCheck    `json:"hosts,omitempty"` // with --peers
}

func checkOf(results []check.Result) checkDocument {
	return checkDocument{newHeader("Check"), !check.Fails(results), results, nil}
}

func showCheck(w io.Writer, results []check.Result) error {
	verdicts := map[check.State]verdict{check.OK: good, check.Warning: doubt, check.Failed: bad, check.Skipped: neutral}
	t := newTable(w, columnGap)
	failed, warned := 0, 0
	for _, r := range results {
		v := verdicts[r.State]
		first := cell{string(r.State), v.style}
		if marked(w) {
			first = cell{v.mark, v.style}
		}
		t.cells(first, cell{r.Name, plain}, cell{r.Text, plain})
		if r.Remedy != "" {
			t.cells(cell{}, cell{}, cell{"remedy: " + r.Remedy, plain})
		}
		switch r.State {
		case check.Failed:
			failed++
		case check.Warning:
			warned++
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	end := "\nall checks passed"
	if failed > 0 {
		end = fmt.Sprintf("\nfailed: %d", failed)
	}
	if warned > 0 {
		end += fmt.Sprintf("; warnings: %d", warned)
	}
	_, err := fmt.Fprintln(w, end)
	return err
}
