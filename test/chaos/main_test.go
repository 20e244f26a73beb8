package chaos

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

// TestMain runs the test in namespaces of its own, and this binary as weft where the lab calls for it.
func TestMain(m *testing.M) {
	// Debian's administrative programs, ip and nft among them, are not in everyone's path.
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin"); err != nil {
		panic(err)
	}
	if filepath.Base(os.Args[0]) == "weft" {
		os.Exit(weft())
	}
	os.Exit(netns.Main(m.Run))
}

func weft() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return cli.Main(ctx, cli.System("chaos"))
}
