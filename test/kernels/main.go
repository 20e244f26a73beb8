// Command kernels runs tests on other Linux kernels than this machine's, as
// root of a virtual machine: on Debian's kernels of several series, and on
// other architectures. It gets kernels and programs from Debian's packages and
// prints what go test prints. It needs no root and no KVM.
//
//	go run ./test/kernels [-arch ARCH] [-quick] [-run REGEXP] SERIES...
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/weft-net/weft/test/kernels/debian"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		fmt.Println("FAIL")
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	o := options{}
	flag.StringVar(&o.arch, "arch", "amd64", "the guest's architecture: amd64, arm64 or s390x")
	flag.StringVar(&o.run, "run", "", "run only the test packages that this regular expression matches")
	flag.StringVar(&o.tests, "tests", "", "run only the tests that this regular expression matches, in all packages")
	flag.StringVar(&o.scripts, "scripts", "", "run these end-to-end scripts, a regular expression, and nothing else")
	flag.BoolVar(&o.quick, "quick", false, "leave out what takes long and would not tell kernels apart")
	flag.IntVar(&o.atOnce, "at-once", 1, "run that many guests at once")
	flag.DurationVar(&o.limit, "limit", 30*time.Minute, "end a guest after this time")
	flag.Parse()
	machine, ok := machines[o.arch]
	if !ok || flag.NArg() == 0 || o.atOnce < 1 {
		return errors.New("usage: go run ./test/kernels [-arch amd64|arm64|s390x] SERIES..., such as 6.1, or newest")
	}
	cacheDir, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	cache, err := debian.Open(ctx, filepath.Join(cacheDir, "weft", "debian"), o.arch)
	if err != nil {
		return err
	}
	o.work = filepath.Join("bin", "kernels", o.arch)
	if err := os.MkdirAll(o.work, 0o755); err != nil {
		return err
	}
	base, err := prepare(ctx, cache, machine, o)
	if err != nil {
		return err
	}
	columns, failed := base.runOn(ctx, cache, machine, flag.Args())
	writeTable(os.Stdout, columns)
	return failed
}

type options struct {
	arch    string
	run     string
	tests   string
	scripts string
	quick   bool
	atOnce  int // guests
	limit   time.Duration
	work    string // folder for what is built
}
