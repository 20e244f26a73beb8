package cli

import (
	"fmt"
	"reflect"

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

// explainNoArgs makes the commands below cmd that take no arguments say so, as
// cobra.NoArgs would call an argument an unknown command.
func explainNoArgs(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		explainNoArgs(sub)
		if reflect.ValueOf(sub.Args).Pointer() == reflect.ValueOf(cobra.NoArgs).Pointer() {
			sub.Args = noArguments
		}
	}
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &usageError{
		fmt.Errorf("'%s' takes no arguments, but got %q", cmd.CommandPath(), args[0]),
		fmt.Sprintf("'%s --help' explains it", cmd.CommandPath()),
	}
}
