package xtables

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// family is iptables for one IP family.
type family struct {
	name    string // of the tables: "ip" or "ip6"
	program string
	names   string // the file that lists the tables in use
}

var families = []family{
	{"ip", "iptables-legacy", "ip_tables_names"},
	{"ip6", "ip6tables-legacy", "ip6_tables_names"},
}

// directories are searched beside $PATH, which of a service or a user other
// than root often lacks them.
var directories = []string{"/usr/sbin", "/sbin", "/usr/local/sbin"}

// ErrNoProgram says that tables are in use, but not the program to edit them.
var ErrNoProgram = errors.New("the program is not installed")

// Tools reaches the tables of one network namespace.
type Tools struct {
	inside func(func() error) error
	dirs   []string
}

// New returns Tools for the namespace that inside runs functions in. The
// program is looked for in $PATH and in dirs, by default where distributions
// have it.
func New(inside func(func() error) error, dirs ...string) *Tools {
	if len(dirs) == 0 {
		dirs = directories
	}
	return &Tools{inside, dirs}
}

// inUse lists the tables of f that the kernel has.
func (t *Tools) inUse(f family) (tables []string, err error) {
	err = t.inside(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/" + f.names)
		tables = strings.Fields(string(text))
		return err
	})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil // no x_tables in this kernel, or not for our eyes
	}
	return tables, err
}

// find returns the path of a program.
func (t *Tools) find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	for _, dir := range t.dirs {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", program, ErrNoProgram)
}

// lockWait is how long, in seconds, the program waits while another one
// changes the tables.
const lockWait = "5"

// runTime is how long the program may take, beyond which it is ended.
const runTime = 20 * time.Second

// run runs the program of f on a table.
func (t *Tools) run(ctx context.Context, f family, table string, args ...string) (string, error) {
	path, err := t.find(f.program)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, slices.Concat([]string{"-w", lockWait, "-t", table}, args)...)
	cmd.WaitDelay = time.Second // for what it has started to close its output
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	// A process is in the namespace of the thread that starts it.
	if err := t.inside(cmd.Start); err != nil {
		return "", fmt.Errorf("%s: %w", f.program, err)
	}
	if err := cmd.Wait(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", f.program, strings.Join(cmd.Args[1:], " "), err, strings.TrimSpace(complaint.String()))
	}
	return out.String(), nil
}
