package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// envPrefixes are looked up in this order.
var envPrefixes = []string{"WEFT_", "FLANNELD_"}

// envName is a flag's environment variable: WEFT_ETCD_ENDPOINTS.
func envName(prefix, flag string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// envValue returns the variable that speaks for flag, and its value. An empty
// variable counts as none.
func envValue(env func(string) (string, bool), flag string) (name, text string, ok bool) {
	for _, prefix := range envPrefixes {
		name = envName(prefix, flag)
		if text, _ = env(name); text != "" {
			return name, text, true
		}
	}
	return "", "", false
}

// applyEnv sets those of the named flags that the command line left alone
// from the environment. It returns one error for each variable that makes no
// sense.
func applyEnv(env func(string) (string, bool), names []string, given func(string) bool, set func(name, text string) error) []error {
	var bad []error
	for _, flag := range names {
		if given(flag) {
			continue
		}
		variable, text, ok := envValue(env, flag)
		if !ok {
			continue
		}
		if err := set(flag, text); err != nil {
			bad = append(bad, fmt.Errorf("environment variable %s=%q, for --%s: %w", variable, secret(flag, text), flag, err))
		}
	}
	return bad
}

// serviceLink matches the variables that Kubernetes and Docker set for a
// service or container named weft: WEFT_SERVICE_HOST, WEFT_PORT_8080_TCP.
var serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT|PORT|NAME|ENV)(_|$)`)

// unknownVariables returns an error for each WEFT_ variable that no flag of any
// command has: a misspelt one would leave a default in force unnoticed.
func unknownVariables(environ []string, root *cobra.Command) []error {
	known := append(variablesOf(root), labDirVariable)
	var bad []error
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefixes[0]) || text == "" || slices.Contains(known, name) {
			continue
		}
		near := nearest(strings.TrimPrefix(name, envPrefixes[0]), known, func(s string) string { return strings.TrimPrefix(s, envPrefixes[0]) })
		switch {
		case near != "":
			bad = append(bad, fmt.Errorf("unknown environment variable %s; did you mean %s?", oneLine(name), near))
		case !serviceLink.MatchString(name):
			bad = append(bad, fmt.Errorf("unknown environment variable %s", oneLine(name)))
		}
	}
	return bad
}

// variablesOf are the WEFT_ variables of all flags of cmd and its subcommands.
func variablesOf(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if len(f.Annotations[fromEnv]) > 0 {
			names = append(names, envName(envPrefixes[0], f.Name))
		}
	})
	for _, sub := range cmd.Commands() {
		names = append(names, variablesOf(sub)...)
	}
	return names
}

// secret hides what must not show up in logs.
func secret(flag, text string) string {
	if strings.Contains(flag, "password") {
		return "..."
	}
	return text
}
