package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/weft-net/weft/test/kernels/suite"
)

const module = "github.com/weft-net/weft/"

// packages are the tests to run in a guest, by architecture: what speaks to
// the kernel, and what needs other things from it than a plain CPU does.
var packages = map[string][]string{
	"amd64": {"./internal/kernel/...", "./internal/netns/...", "./internal/cni/...", "./internal/lab/..."},
	"arm64": {"./internal/kernel/...", "./internal/netns/..."},
	"s390x": {"./internal/kernel/...", "./internal/netns/..."},
}

// scripts are the end-to-end tests to run on another kernel: each backend and
// family, changes of the config, healing, takeover, both kinds of firewall.
const scripts = "^TestScripts$/^(change|change_port|change_hostgw|direct|firewall_clean|firewall_harmless|forward|guard|heal|hostgw_dual|ipv6|reboot_before|takeover|vrf|vxlan)$"

// afterReboot is what follows reboot_before, in another boot of the guest.
const afterReboot = "^TestScripts$/^reboot_after$"

// build compiles the guest's init and its tests, and returns what to run.
func build(ctx context.Context, o options) ([]suite.Suite, error) {
	if err := goTool(ctx, o.arch, "build", "-ldflags=-s -w", "-o", filepath.Join(o.work, "init"), "./test/kernels/guest"); err != nil {
		return nil, err
	}
	wanted, err := regexp.Compile(o.run)
	if err != nil {
		return nil, err
	}
	list, err := output(exec.CommandContext(ctx, "go", append([]string{"list", "-f", `{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}`}, packages[o.arch]...)...))
	if err != nil {
		return nil, err
	}
	var suites []suite.Suite
	var names []string
	for _, name := range strings.Fields(list) {
		if wanted.MatchString(name) && o.scripts == "" {
			s := suiteOf(name, o.limit)
			s.Args = append(s.Args, "-test.run="+o.tests)
			names, suites = append(names, name), append(suites, s)
		}
	}
	e2e := suiteOf(module+"test/e2e", o.limit)
	if o.arch == "amd64" && o.tests == "" && (o.scripts != "" || wanted.MatchString(e2e.Package)) {
		selected := scripts
		if o.scripts != "" {
			selected = "^TestScripts$/" + o.scripts
		}
		// One script at a time: without KVM, streams of two fill the kernel's queues faster than the guest empties them,
		// and it drops packets that no change of weft's has lost.
		e2e.Args = append(e2e.Args, "-test.parallel=1")
		after := e2e
		after.Boot = 2
		after.Args = append(slices.Clone(e2e.Args), "-test.run="+afterReboot)
		e2e.Args = append(e2e.Args, "-test.run="+selected)
		names, suites = append(names, e2e.Package), append(suites, e2e)
		if selects(selected, "reboot_before") {
			suites = append(suites, after)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no test package matches")
	}
	if err := os.RemoveAll(o.binaries()); err != nil {
		return nil, err
	}
	if o.arch != "amd64" && o.run == "" && o.tests == "" {
		if err := goTool(ctx, o.arch, "build", "-ldflags=-s -w", "-o", o.binaries()+"/weft", "./cmd/weft"); err != nil {
			return nil, err
		}
		suites = append(suites, demo)
	}
	return suites, goTool(ctx, o.arch, append([]string{"test", "-c", "-ldflags=-s -w", "-o", o.binaries() + "/"}, names...)...)
}

// demo has real agents and a real etcd on four hosts, and counted packets.
var demo = suite.Suite{Package: "weft-lab-demo", Dir: "/", Binary: guestTests + "/weft", Args: []string{"lab", "demo"}, Boot: 1}

// selects reports whether a pattern of -test.run has a script run.
func selects(pattern, script string) bool {
	_, scripts, _ := strings.Cut(pattern, "/")
	matched, err := regexp.MatchString(scripts, script)
	return err == nil && matched
}

// binaries is the folder of the test binaries.
func (o options) binaries() string { return filepath.Join(o.work, "tests") }

// notInGuests are tests that need programs that guests do not have: containerd
// and runc, which use the same of every kernel.
const notInGuests = "^TestUnderContainerd$"

// suiteOf returns the suite of a package. A test that hangs ends with its
// goroutines' stacks before the guest is ended at limit.
func suiteOf(name string, limit time.Duration) suite.Suite {
	rel := strings.TrimPrefix(name, module)
	return suite.Suite{
		Package: name,
		Dir:     filepath.Join(guestSource, rel),
		Binary:  filepath.Join(guestTests, filepath.Base(rel)+".test"),
		Args:    []string{"-test.v", "-test.timeout=" + (limit * 3 / 4).String(), "-test.skip=" + notInGuests},
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
