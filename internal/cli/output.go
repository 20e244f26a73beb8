package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Values of --output.
const (
	outputText = "text"
	outputWide = "wide"
	outputJSON = "json"
)

// completions are the words that a kind of flag takes.
var completions = map[string][]string{
	"level":  {"debug", "info", "warn", "error"},
	"format": {"text", "json"},
	"bool":   {"true", "false"},

	"local|weft|all": {"local", "weft", "all"},
}

// complete lets the shell complete the values of f.
func complete(cmd *cobra.Command, f *pflag.Flag) {
	switch words, fixed := completions[f.Value.Type()]; {
	case fixed:
		_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	case f.Value.Type() == "directory":
		_ = cmd.MarkFlagDirname(f.Name)
	case f.Value.Type() != "file":
		_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.NoFileCompletions)
	} // these fail only for a flag that is not there, and f is
}

// addOutputFlag adds -o with the given choices, the first being the default.
func addOutputFlag(cmd *cobra.Command, to *string, choices ...string) {
	words := strings.Join(choices, "|")
	v := newValue(to, words, choices[0], func(s string) (string, error) {
		if !slices.Contains(choices, s) {
			return "", fmt.Errorf("must be one of %s", strings.Join(choices, ", "))
		}
		return s, nil
	})
	cmd.Flags().VarP(v, "output", "o", "form of the output")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that is not there
}
