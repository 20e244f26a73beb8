package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Exit codes of weft.
const (
	exitOK       = 0
	exitFailure  = 1
	exitUsage    = 2
	exitDegraded = 3 // of 'weft status' alone
)

// flanneldName is the name under which weft accepts flanneld's command line.
const flanneldName = "flanneld"

// Process is what the command line sees of its process.
type Process struct {
	Args    []string                    // as os.Args
	Env     func(string) (string, bool) // as os.LookupEnv
	Environ []string                    // as os.Environ
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Version string // set by the linker; "": from the build's own record

	alone bool // it starts no other program
}

// System returns the real process.
func System(version string) Process {
	return Process{
		Args: os.Args, Env: os.LookupEnv, Environ: os.Environ(),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Version: version,
	}
}

// Main runs the command that p names and returns the exit code: 0 when all is
// well, 1 after a failure (or for a difference, or a host that is not ready),
// 2 for a command line that makes no sense, 3 for a host that is degraded.
// Errors are printed once.
func Main(ctx context.Context, p Process) int {
	if len(p.Args) > 0 && filepath.Base(p.Args[0]) == flanneldName {
		return flanneld(ctx, p)
	}
	root, began := newRoot(p)
	stderr := newTerminal(p.Stderr, p.Env)
	root.SetOut(newTerminal(p.Stdout, p.Env))
	root.SetErr(stderr)
	if len(p.Args) > 0 {
		root.SetArgs(asFlanneld(root, p.Args[1:]))
	}
	err := root.ExecuteContext(ctx)
	if _, known := errors.AsType[*usageError](err); err != nil && !known && !*began {
		err = &usageError{err: err} // nothing ran: the words were wrong
	}
	return report(stderr, err)
}

// report prints err with its hint, if it has words, and returns its exit code.
func report(w io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	code := exitFailure
	if exit, ok := errors.AsType[*exitError](err); ok {
		code = exit.code
		if exit.err == nil {
			return code
		}
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		code = exitUsage
	}
	paint(w, red, "weft:")
	fmt.Fprintf(w, " %s\n", indented(strings.TrimSpace(err.Error())))
	if hint := hintOf(err); hint != "" {
		paint(w, bold, "hint:")
		fmt.Fprintf(w, " %s\n", oneLine(hint))
	}
	return code
}
