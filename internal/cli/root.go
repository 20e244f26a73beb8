package cli

import (
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// app is what all commands share.
type app struct {
	Process
	began bool // a command's own work began: what fails from now on is not a usage error
}

// newRoot returns the whole tree of commands, and whether one has begun.
func newRoot(p Process) (*cobra.Command, *bool) {
	a := &app{Process: p}
	root := &cobra.Command{
		Use:   "weft",
		Short: "Connect the containers of many hosts in one network",
		Long: `weft connects the containers of many hosts in one routed network. Each host
leases a subnet from a shared store, and weft maintains the kernel's devices,
routes and neighbours so that containers on all hosts reach each other.

It replaces flannel host by host: same store, same flags, same subnet file.`,
		Example: `  weft up                     # run the agent of this host
  weft status                 # uplink, lease, peers, problems
  weft plan --diff            # drift between plan and kernel
  weft lab demo               # see it work on one machine`,
		Version:                    readBuild(p.Version).Version,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		PersistentPreRunE:          a.begin,
	}
	root.SetIn(p.Stdin)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return flagError(cmd, err, p.Args) })
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		return writeUsage(cmd.OutOrStdout(), cmd, widthOf(p.Stdout))
	})
	root.SetVersionTemplate(versionLine(p.Version) + "\n")
	root.AddCommand(
		newUpCommand(a), newStatusCommand(a), newPlanCommand(a), newExplainCommand(a), newPingCommand(), newCheckCommand(a), newBundleCommand(a), newEventsCommand(), newUICommand(a), newWaitCommand(), newCleanCommand(),
		newConfigCommand(a), newLeaseCommand(), newKeyCommand(), newDockerCommand(a), newCNICommand(), newLabCommand(a), newVersionCommand(a), newWireGuardCommand(),
	)
	explainNoArgs(root)
	return root, &a.began
}

// begin applies the environment to the flags of the command about to run.
func (a *app) begin(cmd *cobra.Command, _ []string) error {
	fs := cmd.Flags()
	var names []string
	fs.VisitAll(func(f *pflag.Flag) {
		if len(f.Annotations[fromEnv]) > 0 {
			names = append(names, f.Name)
		}
	})
	bad := applyEnv(a.Env, names, fs.Changed, func(name, text string) error {
		f := fs.Lookup(name)
		if err := f.Value.Set(text); err != nil {
			return err
		}
		f.Changed = true
		return nil
	})
	bad = append(bad, unknownVariables(a.Environ, cmd.Root())...)
	if len(bad) > 0 {
		return &usageError{err: errors.Join(bad...), hint: "correct or unset the variable; a flag on the command line overrides it"}
	}
	if cmd.Name() != upName {
		findDirs(cmd.Context(), fs)
	}
	a.began = true
	return nil
}

// fromEnv marks flags that can also be given by environment variables.
const fromEnv = "weft_env"

// takeFlags gives cmd the flags of fs, and lets the environment set them.
func takeFlags(cmd *cobra.Command, fs *flag.FlagSet) {
	fs.VisitAll(func(f *flag.Flag) {
		pf := pflag.PFlagFromGoFlag(f)
		pf.Annotations = map[string][]string{fromEnv: {"true"}}
		_, ignored := ignoredFlags[f.Name]
		pf.Hidden = ignored
		pf.Shorthand = ""
		if f.Name == endpointsFlag {
			pf.DefValue = "" // flanneld's, and in force only when another flag of etcd's is given
			pf.Usage += "; without any --etcd flag an embedded etcd is used, and with others " + defaultEndpoints
		}
		cmd.Flags().AddFlag(pf)
		complete(cmd, pf)
	})
}

// anyGiven tells whether a flag whose name begins with prefix was given, on
// the command line or by the environment.
func anyGiven(fs *pflag.FlagSet, prefix string) bool {
	found := false
	fs.VisitAll(func(f *pflag.Flag) { found = found || f.Changed && strings.HasPrefix(f.Name, prefix) })
	return found
}

// group makes cmd a parent of commands: alone it shows help, and an unknown
// subcommand is an error with a suggestion.
func group(cmd *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(subs...)
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			return &usageError{err: err, hint: fmt.Sprintf("did you mean '%s %s'?", cmd.CommandPath(), near[0])}
		}
		return &usageError{err: err, hint: fmt.Sprintf("'%s --help' lists the commands", cmd.CommandPath())}
	}
	return cmd
}

// flagError explains a flag that does not exist, or whose value is not
// valid, in the command line args.
func flagError(cmd *cobra.Command, err error, args []string) error {
	help := fmt.Sprintf("'%s --help' lists the flags", cmd.CommandPath())
	near := meantFlag(cmd.Flags(), args)
	if none, ok := errors.AsType[*pflag.NotExistError](err); ok && none.GetSpecifiedShortnames() == "" {
		near = nearestFlag(cmd.Flags(), none.GetSpecifiedName())
	}
	if near != "" {
		help = fmt.Sprintf("did you mean --%s?", near)
	}
	if lacks, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		err = fmt.Errorf("--%s needs a value: %s", lacks.GetFlag().Name, lacks.GetFlag().Value.Type())
	}
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		f := wrong.GetFlag()
		err = fmt.Errorf("--%s %q: %w", f.Name, secret(f.Name, wrong.GetValue()), wrong.Unwrap())
	}
	return &usageError{err: err, hint: help}
}

// nearestFlag is the flag whose name is closest to name, "" if none is close.
func nearestFlag(fs *pflag.FlagSet, name string) string {
	var names []string
	fs.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return nearest(name, names, func(s string) string { return s })
}

// nearest is the candidate whose form is closest to name, "" if none is close.
func nearest(name string, candidates []string, form func(string) string) string {
	best, bestAt := "", len(name)/3+2
	for _, c := range candidates {
		if d := distance(name, form(c)); d < bestAt {
			best, bestAt = c, d
		}
	}
	return best
}

// distance is how many letters must be changed, added or left out to make b
// of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
