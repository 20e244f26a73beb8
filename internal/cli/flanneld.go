package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
)

// flanneld runs the agent from flanneld's command line: flags with one dash
// or two, its defaults, its exit codes.
func flanneld(ctx context.Context, p Process) int {
	s := &settings{}
	p.Stderr = newTerminal(p.Stderr, p.Env)
	fs := newFlagSet()
	fs.SetOutput(io.Discard)
	addFlanneldFlags(fs, s)
	addWeftFlags(fs, s)
	addIgnoredFlags(fs)
	if err := fs.Parse(p.Args[1:]); err != nil {
		return flanneldRefuses(p, fs, err)
	}
	if s.version {
		printVersion(p.Stderr, p.Version)
		return exitOK
	}
	bad := applyEnv(p.Env, flagNames(fs), given(fs), fs.Set)
	s.separate(given(fs))
	s.inbound = true
	s.chosen = true // flanneld always has an etcd, if only by default
	log := newLogger(p.Stderr, s)
	for _, err := range bad {
		log.Warn("this is ignored", "reason", err)
	}
	if s.version {
		printVersion(p.Stderr, p.Version)
		return exitOK
	}
	if report(p.Stderr, up(ctx, s, p, log)) != exitOK {
		return exitFailure
	}
	return exitOK
}

// flanneldRefuses ends flanneld's way: asking for help, also by a flag that
// does not exist, is answered with the usage and exit code 0.
func flanneldRefuses(p Process, fs *flag.FlagSet, err error) int {
	unknown := strings.HasPrefix(err.Error(), "flag provided but not defined")
	if !unknown && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(p.Stderr, "weft: %v\n", err)
		return exitFailure
	}
	if unknown {
		fmt.Fprintln(p.Stderr, err)
	}
	all := pflag.NewFlagSet(flanneldName, pflag.ContinueOnError)
	fs.VisitAll(func(f *flag.Flag) {
		if _, ignored := ignoredFlags[f.Name]; !ignored {
			pf := pflag.PFlagFromGoFlag(f)
			pf.Shorthand = ""
			all.AddFlag(pf)
		}
	})
	var usage strings.Builder
	writeFlags(&usage, all, widthOf(p.Stderr))
	fmt.Fprintf(p.Stderr, "Usage: %s [OPTION]...\n%s", p.Args[0], &usage)
	return exitOK
}

func flagNames(fs *flag.FlagSet) []string {
	var names []string
	fs.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	return names
}

// given tells of each flag whether the command line set it.
func given(fs *flag.FlagSet) func(string) bool {
	set := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
	return func(name string) bool { return set[name] }
}
