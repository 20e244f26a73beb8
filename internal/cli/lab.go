package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/lab/demo"
	"github.com/weft-net/weft/internal/lab/holder"
	"github.com/weft-net/weft/internal/netns"
)

func newLabCommand(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "lab",
		Short: "Try weft on one machine",
		Long: `A lab is a whole network on this machine: hosts, segments, a router and pods,
each in its own network namespace, with real agents and a real etcd. It needs
no root, changes nothing outside, and leaves nothing behind.

    h1 10.4.7.21 ┐          ┌ h3 10.4.8.23
    h2 10.4.7.22 ┴─ router ─┴ h4 10.4.8.24
                       └ etcd 10.4.9.10

For host-gw, which needs every peer on the same segment, all four hosts are on
the first one.`,
		Example: `  weft lab demo                        # see it work; it is removed afterwards
  weft lab up                          # keep one for experiments
  weft lab exec h1 -- weft status      # the agent of h1
  weft lab exec p1 -- ping 10.42.45.2  # from a pod
  weft lab down`,
	}, newLabDemoCommand(), newLabUpCommand(), newLabExecCommand(), newLabStatusCommand(), newLabUICommand(a),
		newLabCutCommand(), newLabMendCommand(), newLabDownCommand(),
		newLabHoldCommand(), newLabEtcdCommand())
}

// addLabFlags adds the flags that choose what a lab shows.
func addLabFlags(cmd *cobra.Command, c *demo.Config) {
	addChoiceFlag(cmd, &c.Backend, "backend", "how packets travel between hosts", demo.VXLANDirect, demo.Backends)
	addChoiceFlag(cmd, &c.Family, "family", "addresses of the pods", demo.IPv4, demo.Families)
}

// addChoiceFlag adds a flag whose value is one of choices.
func addChoiceFlag[T ~string](cmd *cobra.Command, to *T, name, usage string, preset T, choices []T) {
	words := make([]string, len(choices))
	for i, c := range choices {
		words[i] = string(c)
	}
	v := newValue(to, "word", string(preset), func(s string) (T, error) {
		if !slices.Contains(choices, T(s)) {
			return "", fmt.Errorf("must be one of %v", words)
		}
		return T(s), nil
	})
	cmd.Flags().Var(v, name, fmt.Sprintf("%s: one of %v", usage, words))
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that is not there
}

// labDirVariable names the lab's directory to the process inside.
const labDirVariable = "WEFT_LAB_DIR"

// inLab runs work with a new lab in namespaces of its own. To get there it runs this command once
// more; the outer of the two processes only waits, and removes the lab's directory at the end.
func inLab(t lab.Topology, work func(*lab.Lab) error) error {
	inside, err := netns.Enter()
	if err != nil {
		return err
	}
	if !inside {
		return runInside()
	}
	// On a file system that ends with this process, files are gone even after SIGKILL.
	dir := os.Getenv(labDirVariable)
	if err := netns.MountTmpfs(dir); err != nil {
		return err
	}
	l, err := lab.New(t, lab.Options{Dir: dir})
	if err != nil {
		return err
	}
	err = work(l)
	return errors.Join(err, l.Close())
}

func runInside() (err error) {
	dir, err := os.MkdirTemp("", "weft-lab-")
	if err != nil {
		return fmt.Errorf("make the lab's directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	code, err := netns.Reexec(os.Args, labDirVariable+"="+dir)
	if err != nil {
		return err
	}
	if code != exitOK {
		return &exitError{code: code} // the inner process has printed the reason
	}
	return nil
}

// labPlace is where this user's held lab is found.
func labPlace() (holder.Place, error) { return holder.Find(os.Getenv("XDG_RUNTIME_DIR")) }

// labRunning adds a hint to an error about a lab that runs or does not.
func labRunning(err error) error {
	switch {
	case errors.Is(err, holder.ErrRunning):
		return withHint(err, "see it with 'weft lab status', end it with 'weft lab down'")
	case errors.Is(err, holder.ErrNotRunning):
		return withHint(err, "start one with 'weft lab up'")
	}
	return err
}

// sayTo prints progress, one line per step.
func sayTo(w io.Writer) func(string) {
	return func(line string) { fmt.Fprintln(w, line) }
}
