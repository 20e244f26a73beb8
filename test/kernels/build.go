package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weft-net/weft/test/kernels/suite"
)

const (
	module = "github.com/weft-net/weft/"
	e2e    = module + "test/e2e"
)

// build compiles the guest's init and its tests, and returns what to run.
func build(ctx context.Context, o options) ([]suite.Suite, error) {
	suites, err := plan(ctx, o)
	if err != nil {
		return nil, err
	}
	if len(suites) == 0 {
		return nil, errors.New("no test package matches")
	}
	if err := os.RemoveAll(o.binaries()); err != nil {
		return nil, err
	}
	commands := [][]string{{"build", "-ldflags=-s -w", "-o", filepath.Join(o.work, "init"), "./test/kernels/guest"}}
	if slices.ContainsFunc(suites, func(s suite.Suite) bool { return s.Package == demo.Package }) {
		commands = append(commands, []string{"build", "-ldflags=-s -w", "-o", o.binaries() + "/weft", "./cmd/weft"})
	}
	if names := testPackages(suites); len(names) > 0 {
		commands = append(commands, append([]string{"test", "-c", "-ldflags=-s -w", "-o", o.binaries() + "/"}, names...))
	}
	for _, command := range commands {
		if err := goTool(ctx, o.arch, command...); err != nil {
			return nil, err
		}
	}
	return suites, nil
}

// plan returns what to run: test packages, scripts in one boot or two, and the
// lab's demo where there are no scripts.
func plan(ctx context.Context, o options) ([]suite.Suite, error) {
	list, err := output(exec.CommandContext(ctx, "go", append([]string{"list", "-f", `{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}`}, packages[o.arch]...)...))
	if err != nil {
		return nil, err
	}
	names, err := o.packagesOf(strings.Fields(list))
	if err != nil {
		return nil, err
	}
	var suites []suite.Suite
	for _, name := range names {
		suites = append(suites, suiteOf(name, o.limit, o.patterns(name)...))
	}
	if selected := o.scriptsOf(); selected != "" {
		suites = append(suites, scriptSuite(o, selected, 1))
		if selects(selected, "reboot_before") {
			suites = append(suites, scriptSuite(o, script(afterReboot), 2))
		}
	}
	if o.tests == "" && o.scripts == "" && (o.run == "" || o.run == demo.Package) && o.arch != "amd64" {
		suites = append(suites, demo)
	}
	return suites, nil
}

// scriptSuite runs scripts of test/e2e, one at a time: without KVM, streams of
// two fill the kernel's queues faster than the guest empties them, and it drops
// packets that no change of weft's has lost.
func scriptSuite(o options, selected string, boot int) suite.Suite {
	s := suiteOf(e2e, o.limit, "-test.parallel=1", "-test.skip="+notInGuests, "-test.run="+selected)
	s.Boot = boot
	return s
}

// demo has real agents and a real etcd on four hosts, and counted packets.
var demo = suite.Suite{Package: "weft-lab-demo", Dir: "/", Binary: guestTests + "/weft", Args: []string{"lab", "demo"}, Boot: 1}

// testPackages names the packages of suites, each once.
func testPackages(suites []suite.Suite) (names []string) {
	for _, s := range suites {
		if s.Package != demo.Package && !slices.Contains(names, s.Package) {
			names = append(names, s.Package)
		}
	}
	return names
}

// binaries is the folder of the test binaries.
func (o options) binaries() string { return filepath.Join(o.work, "tests") }

// suiteOf returns the suite of a package. A test that hangs ends with its
// goroutines' stacks before the guest is ended at limit.
func suiteOf(name string, limit time.Duration, args ...string) suite.Suite {
	rel := strings.TrimPrefix(name, module)
	return suite.Suite{
		Package: name,
		Dir:     filepath.Join(guestSource, rel),
		Binary:  filepath.Join(guestTests, filepath.Base(rel)+".test"),
		Args:    append([]string{"-test.v", "-test.timeout=" + (limit * 3 / 4).String()}, args...),
		Boot:    1,
	}
}

func goTool(ctx context.Context, arch string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	_, err := output(cmd)
	return err
}

func output(cmd *exec.Cmd) (string, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, out, &stderr)
	}
	return string(out), nil
}
