package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/cni/install"
)

func newCNICommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "cni",
		Short: "Install weft's CNI plugin on this host",
		Long: `Put weft's CNI plugin and its config where a container runtime looks for them,
and take them away again. On Kubernetes the DaemonSet of weft's manifest does
both.`,
		Example: `  weft cni install --config=/etc/kube-flannel/cni-conf.json
  weft cni uninstall`,
	}, newCNIInstallCommand(), newCNIUninstallCommand())
}

// printSteps prints what was done, also before a failure.
func printSteps(w io.Writer, steps []install.Step) {
	for _, s := range steps {
		fmt.Fprintln(w, s)
	}
}
