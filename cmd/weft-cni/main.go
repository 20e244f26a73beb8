// Command weft-cni is weft's CNI plugin and nothing else: small, since a
// runtime starts it anew for each container. Installed as weft and as flannel
// it does the plugin types of these names; cmd/weft does them, too.
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
		fmt.Fprintf(os.Stderr, "weft-cni %s: the CNI plugin types weft and flannel; a container runtime starts this program with CNI_COMMAND set\n", version)
		return 2
	}
	return plugins.Main(context.Background())
}
