package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newConfigValidateCommand(a *app) *cobra.Command {
	var x access
	var output string
	cmd := &cobra.Command{
		Use:   "validate [FILE|-|JSON]",
		Short: "Check a network config without storing it",
		Long: `Check a network config and explain it. Without an argument the stored config is
checked. The exit code is 1 if it is not valid. With -o json or yaml the document
that is printed has the defaults as well.`,
		Example: "  weft config validate net.json\n  weft config validate",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			doc, err := documentOrStored(a, cmd, &x, args)
			if err != nil {
				return err
			}
			var accepted []byte // of what is stored already nothing is refused
			if len(args) == 0 {
				accepted = doc
			}
			net, warnings, err := reviewDocument(doc, accepted, false)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			return present(w, output, reportOn(net, warnings), func() error {
				for _, text := range warnings {
					fmt.Fprintf(cmd.ErrOrStderr(), "weft: warning: %s\n", text)
				}
				for _, line := range describe(net) {
					fmt.Fprintln(w, line)
				}
				return conclude(w, "valid")
			})
		},
	}
	x.flags(cmd)
	addOutputFlag(cmd, &output)
	return cmd
}

func documentOrStored(a *app, cmd *cobra.Command, x *access, args []string) ([]byte, error) {
	if len(args) == 1 {
		return readDocument(args[0], a.Stdin)
	}
	snap, err := x.snapshot(cmd, false)
	if err == nil && snap.Config == nil {
		err = noConfig(snap)
	}
	return snap.Config, err
}
