// Command weft-cni is weft's CNI plugin alone: a small program, since a runtime
// starts it for each call. Installed under the names weft and flannel it has the
// plugin types of these names; cmd/weft has them, too.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/weft-net/weft/internal/cni"
	"github.com/weft-net/weft/internal/cni/plugins"
)

// version is set with -ldflags "-X main.version=v1.2.3".
var version string

func main() { os.Exit(run()) }

func run() int {
	if !cni.Called(os.Args, os.Getenv) {
		fmt.Fprintf(os.Stderr, "weft-cni %s: CNI plugin with the types weft and flannel; to be started by a container runtime, which sets CNI_COMMAND\n", version)
		return 2
	}
	return plugins.Main(context.Background())
}
