package cli_test

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weft-net/weft/internal/cli"
)

var update = flag.Bool("update", false, "rewrite the expected output in the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"weft": run, "flanneld": run})
}

// run is the real command line in a process of its own.
func run() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, cli.System("v0.0.0-test")))
}

// TestScripts runs testdata/script: each file is one story, told in commands.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("WEFT_STATE_DIR", env.WorkDir+"/state")
			env.Setenv("WEFT_RUN_DIR", env.WorkDir+"/run")
			env.Setenv("TMPDIR", env.WorkDir)
			return nil
		},
	})
}
