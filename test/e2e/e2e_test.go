package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weft-net/weft/internal/cli"
	"github.com/weft-net/weft/internal/cni"
	"github.com/weft-net/weft/internal/cni/plugins"
	"github.com/weft-net/weft/internal/lab/holder"
	"github.com/weft-net/weft/internal/netns"
	"github.com/weft-net/weft/test/absence"
	"github.com/weft-net/weft/test/programs"
)

func TestMain(m *testing.M) {
	// Debian's administrative programs, ip and dockerd among them, are not in everyone's path.
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin"); err != nil {
		panic(err)
	}
	testscript.Main(inside{m}, map[string]func(){"weft": weft, "flanneld": weft})
}

// inside runs the tests in namespaces of their own. Before, programs that they need are built: in
// there is no network to get them.
type inside struct{ m *testing.M }

func (i inside) Run() int {
	for _, set := range programs.All {
		if _, err := set.Dir(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return netns.Main(i.m.Run)
}

// weft is the program as cmd/weft starts it, out of this test binary: with the race detector where
// the test has it.
func weft() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if cni.Called(os.Args, os.Getenv) {
		os.Exit(plugins.Main(ctx))
	}
	os.Exit(cli.Main(ctx, cli.System("e2e")))
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		Setup:               setUp,
		Cmds:                commands,
		Condition:           condition,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// condition reports whether this machine has what a script asks for.
func condition(name string) (bool, error) {
	have, known := absence.Conditions[name]
	if !known {
		return false, fmt.Errorf("unknown condition %q: package absence lists them", name)
	}
	return have(), nil
}

// TestPeer runs the cases of flannel's own suites.
func TestPeer(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../peer",
		Setup:               setUp,
		Cmds:                commands,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// setUp gives each script a world of its own.
func setUp(env *testscript.Env) error {
	tb, ok := env.T().(testing.TB)
	if !ok {
		panic("testscript.Run was given a *testing.T")
	}
	env.Setenv("XDG_RUNTIME_DIR", env.WorkDir)
	w := newWorld(tb)
	tb.Cleanup(w.end)
	env.Defer(func() { endHeldLab(tb, env.WorkDir) })
	env.Values[worldKey{}] = w
	return nil
}

// endHeldLab takes down the lab that a failed script left with weft lab up.
func endHeldLab(tb testing.TB, runtimeDir string) {
	place, err := holder.Find(runtimeDir)
	if err == nil {
		err = place.Down()
	}
	if err != nil && !errors.Is(err, holder.ErrNotRunning) {
		tb.Errorf("end the script's lab: %v", err)
	}
}
