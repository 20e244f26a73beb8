package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// oneArgument accepts one argument, and explains by an example what it should
// be.
func oneArgument(what, example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		hint := fmt.Sprintf("'%s --help' has more examples", cmd.CommandPath())
		switch {
		case len(args) == 0:
			return &usageError{fmt.Errorf("'%s' needs %s, for example: %s", cmd.CommandPath(), what, example), hint}
		case len(args) > 1:
			return &usageError{fmt.Errorf("'%s' takes %s, not %d arguments, for example: %s", cmd.CommandPath(), what, len(args), example), hint}
		}
		return nil
	}
}
