package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flanneld's flags have one dash as often as two. Where weft takes them, it
// takes both; elsewhere one dash begins letters such as -o, and the error about
// it names the flag that was meant.

// asFlanneld returns args, those of 'weft up' with two dashes.
func asFlanneld(root *cobra.Command, args []string) []string {
	if len(args) == 0 || args[0] != upName {
		return args
	}
	up, _, err := root.Find(args[:1])
	if err != nil {
		return args
	}
	return append([]string{upName}, twoDashes(up.Flags(), args[1:])...)
}

// twoDashes returns args, in which every flag with one dash has two. The value
// of a flag stays as it is, whatever it begins with, and so do -h, what follows
// "--", and words that begin with a digit.
func twoDashes(fs *pflag.FlagSet, args []string) []string {
	out := make([]string, 0, len(args))
	value := false
	for i, arg := range args {
		if arg == "--" && !value {
			return append(out, args[i:]...)
		}
		name, _, assigned := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case value || !strings.HasPrefix(arg, "-") || name == "":
			value = false
		default:
			if isOneDash(arg) && (len(name) > 1 || fs.Lookup(name) != nil) {
				arg = "-" + arg
			}
			f := fs.Lookup(name)
			value = f != nil && f.NoOptDefVal == "" && !assigned
		}
		out = append(out, arg)
	}
	return out
}

// isOneDash tells whether arg is a word behind one dash.
func isOneDash(arg string) bool {
	return len(arg) > 1 && arg[0] == '-' && arg[1] != '-' && (arg[1] < '0' || arg[1] > '9')
}

// meantFlag returns the flag that a word with one dash among args spells out or
// nearly does, "" if there is none.
func meantFlag(fs *pflag.FlagSet, args []string) string {
	for _, arg := range args {
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if !isOneDash(arg) || len(name) < 3 {
			continue
		}
		if near := nearestFlag(fs, name); near != "" {
			return near
		}
	}
	return ""
}
