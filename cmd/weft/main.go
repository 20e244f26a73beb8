// Command weft joins the containers of many hosts into one network. Under the
// name flanneld it takes flanneld's command line.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/weft-net/weft/internal/cli"
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
	return cli.Main(ctx, cli.System(version))
}
