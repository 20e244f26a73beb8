package flannel_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/weft-net/weft/internal/cni"
	"github.com/weft-net/weft/internal/cni/plugins"
	"github.com/weft-net/weft/internal/netns"
	"github.com/weft-net/weft/test/programs"
)

// pluginDir has the containernetworking plugins and cnitool.
var pluginDir string

// TestMain makes this program the plugin itself where a runtime calls it, and
// runs the tests in namespaces of their own, with /run and /var/lib to
// themselves, so that plugins can keep things at their usual places.
func TestMain(m *testing.M) {
	if cni.Called(os.Args, os.Getenv) {
		os.Exit(plugins.Main(context.Background()))
	}
	// With the race detector each plugin would sleep a second at its end.
	err := os.Setenv("GORACE", "atexit_sleep_ms=0")
	if err == nil {
		pluginDir, err = programs.CNI.Dir(context.Background())
	}
	if err == nil {
		err = os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin") // for iptables
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(netns.Main(func() int {
		for _, dir := range []string{"/run", "/var/lib"} {
			if err := netns.MountTmpfs(dir); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
		}
		return m.Run()
	}))
}
