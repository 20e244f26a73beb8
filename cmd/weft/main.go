// Command weft joins the containers of many hosts into one network. Under the
// name flanneld it takes flanneld's command line, and started by a container
// runtime it is a CNI plugin.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/weft-net/weft/internal/cli"
	"github.com/weft-net/weft/internal/cni"
	"github.com/weft-net/weft/internal/cni/plugins"
)

// version is set with -ldflags "-X main.version=v1.2.3".
var version string

func main() { os.Exit(run()) }

// run ends in an orderly way at the first SIGINT or SIGTERM and at once at
// the second.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	if cni.Called(os.Args, os.Getenv) {
		return plugins.Main(ctx)
	}
	return cli.Main(ctx, cli.System(version))
}
