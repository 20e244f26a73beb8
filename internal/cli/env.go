package cli

import (
	"fmt"
	"strings"
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

// secret hides what must not show up in logs.
func secret(flag, text string) string {
	if strings.Contains(flag, "password") {
		return "..."
	}
	return text
}
