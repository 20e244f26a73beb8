package e2e

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weft-net/weft/internal/cli"
	"github.com/weft-net/weft/internal/lab/holder"
	"github.com/weft-net/weft/internal/netns"
)

func TestMain(m *testing.M) {
	// Debian's administrative programs, ip and dockerd among them, are not in everyone's path.
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin"); err != nil {
		panic(err)
	}
	testscript.Main(inside{m}, map[string]func(){"weft": weft, "flanneld": weft})
}

// inside runs the tests in namespaces of their own.
type inside struct{ m *testing.M }

func (i inside) Run() int { return netns.Main(i.m.Run) }

// weft is the program as cmd/weft starts it, out of this test binary: with the race detector where
// the test has it.
func weft() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, cli.System("e2e")))
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
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
