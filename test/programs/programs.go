// Package programs builds programs of other projects that the tests run for
// real and that no Debian package has, each set of them from a Go module of
// its own beside this package, so that what they need stays out of weft's
// go.mod. Only tests and their set-up may import it; it starts nothing but
// the go command.
//
// A set is built when it is asked for and its module has changed since, into
// bin/test/NAME. Building may need the network, which a test in a namespace
// does not have: so TestMain asks for the folder before netns.Main.
package programs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Set is a Go module of programs.
type Set struct {
	Module   string // its folder, from test/
	Packages string // what of it to build: "tool", or a pattern of packages
	Tags     string // build tags, separated by commas
	LDFlags  string // for the linker, beside -s -w
	Test     bool   // Packages is one package, whose tests are the program
}

// CNI are cnitool and the plugins of the containernetworking project.
var CNI = Set{Module: "cniplugins", Packages: "tool"}

// Kube are the programs of a Kubernetes cluster, kubectl, and agnhost, with
// which Kubernetes' own tests make and receive traffic. They take minutes to
// build the first time, and seconds with Go's build cache.
var Kube = Set{
	Module: "kube", Packages: "tool",
	LDFlags: kubeVersion,
}

// kubeVersion is that in the go.mod of the sets: without it programs take themselves for v0.0.0.
const kubeVersion = "-X k8s.io/component-base/version.gitVersion=v1.37.2"

// KubePrevious is the API server of two minor versions ago.
var KubePrevious = Set{
	Module: "kube-previous", Packages: "tool",
	LDFlags: "-X k8s.io/component-base/version.gitVersion=v1.35.4",
}

// Conformance is e2e.test, Kubernetes' own tests of a cluster.
var Conformance = Set{Module: "conformance", Packages: "k8s.io/kubernetes/test/e2e", LDFlags: kubeVersion, Test: true}

// Policy is kube-router, which enforces NetworkPolicies with iptables and ipset.
var Policy = Set{Module: "policy", Packages: "tool"}

// Helm is the helm command.
var Helm = Set{Module: "helm", Packages: "tool"}

// Containerd are containerd, its shim and ctr, all three of one version,
// without the snapshotters that no test uses.
var Containerd = Set{Module: "containerd", Packages: "tool", Tags: "no_btrfs,no_zfs,no_devmapper"}

// CoreDNS is CoreDNS with the plugins that a cluster's DNS needs.
var CoreDNS = Set{Module: "coredns", Packages: "."}

// Release makes what weft is distributed as: packages, images.
var Release = Set{Module: "../packaging/release", Packages: "."}

// All lists the sets that most tests need, for a set-up that builds them ahead of the tests. KubePrevious,
// Conformance and Policy are for make test-kubernetes-full alone, which asks for them.
var All = []Set{CNI, Kube, Helm, Containerd, CoreDNS, Release}

// Dir returns the folder of the set's programs, an absolute path. It builds
// them first if its module's files, or Go, are not those of the last build; a
// process that does so already is waited for.
func (s Set) Dir(ctx context.Context) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	source, dir := filepath.Join(root, "test", s.Module), filepath.Join(root, "bin", "test", filepath.Base(s.Module))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the folder of the programs of %s: %w", source, err)
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	want, err := s.stamp(source)
	if err != nil {
		return "", err
	}
	stamp := filepath.Join(dir, ".stamp")
	if have, err := os.ReadFile(stamp); err == nil && string(have) == want {
		return dir, nil
	}
	if err := s.build(ctx, source, dir); err != nil {
		return "", err
	}
	if err := os.WriteFile(stamp, []byte(want), 0o644); err != nil {
		return "", fmt.Errorf("note that %s is built: %w", dir, err)
	}
	return dir, nil
}

func (s Set) build(ctx context.Context, source, dir string) error {
	verb := []string{"build"}
	if s.Test {
		verb = []string{"test", "-c"}
	}
	args := append(verb, "-trimpath", "-tags="+s.Tags, "-ldflags=-s -w "+s.LDFlags, "-o", dir+string(filepath.Separator), s.Packages)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs of %s for the tests: %w\n%s", source, err, out)
	}
	return nil
}

// stamp tells builds apart: the set, Go's version, and the files of its module.
func (s Set) stamp(source string) (string, error) {
	files, err := filepath.Glob(filepath.Join(source, "*"))
	if err != nil || len(files) == 0 {
		return "", fmt.Errorf("there is no module in %s: %w", source, errors.Join(err, os.ErrNotExist))
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%+v %s", s, runtime.Version())
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("look whether the programs of %s are built: %w", source, err)
		}
		fmt.Fprintf(sum, "%s %d\n%s", filepath.Base(file), len(data), data)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), nil
}

// lock takes the lock of that file, and waits for whoever has it.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err == nil {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = file.Close() }, nil
}

// moduleRoot is the folder of weft's go.mod, at or above the working
// directory, which for a test is its package's.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find weft's go.mod: %w", err)
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module github.com/weft-net/weft\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("find weft's go.mod: none at or above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}
