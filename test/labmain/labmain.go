// Package labmain is the TestMain of packages whose tests run weft in the lab out of their own binary.
package labmain

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/weft-net/weft/internal/cli"
	"github.com/weft-net/weft/internal/netns"
)

// Main runs the tests in namespaces of their own, or this binary as weft where the lab calls for it, and
// returns the exit code. version is what weft shows as its version.
func Main(m *testing.M, version string) int {
	// Debian's administrative programs, ip and nft among them, are not in everyone's path.
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin"); err != nil {
		panic(err)
	}
	if filepath.Base(os.Args[0]) == "weft" {
		return weft(version)
	}
	return netns.Main(m.Run)
}

func weft(version string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return cli.Main(ctx, cli.System(version))
}
