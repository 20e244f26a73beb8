package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Values of --output.
const (
	outputText = "text"
	outputWide = "wide"
	outputJSON = "json"
)

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
