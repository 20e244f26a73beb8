package cli_test

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weft-net/weft/internal/cli"
	"github.com/weft-net/weft/internal/netns"
)

var update = flag.Bool("update", false, "rewrite the expected output in the scripts")

// TestMain runs the tests in namespaces of their own, and this binary as weft
// where a test calls for it.
func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); name == "weft" || name == "flanneld" {
		os.Exit(run())
	}
	os.Exit(netns.Main(func() int {
		testscript.Main(m, map[string]func(){"weft": exit, "flanneld": exit})
		return 0
	}))
}

func exit() { os.Exit(run()) }

// run is the real command line in a process of its own.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return cli.Main(ctx, cli.System("v0.0.0-test"))
}

// TestScripts runs testdata/script: each file is one story, told in commands.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"docker-says": cmdDockerSays},
		Setup: func(env *testscript.Env) error {
			env.Setenv("WEFT_STATE_DIR", env.WorkDir+"/state")
			env.Setenv("WEFT_RUN_DIR", env.WorkDir+"/run")
			env.Setenv("TMPDIR", env.WorkDir)
			return nil
		},
	})
}
