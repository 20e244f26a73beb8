package cli

import (
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/wgkey"
	"github.com/weft-net/weft/internal/wguser"
)

// keyFileVariable names flannel's file with the private key of WireGuard, and
// defaultKeyFile is where it is by default.
const (
	keyFileVariable = "WIREGUARD_KEY_FILE"
	defaultKeyFile  = "/run/flannel/wgkey"
)

func newWireGuardCommand() *cobra.Command {
	var socket string
	ready := -1
	cmd := &cobra.Command{
		Use:   wguser.Command + " DEVICE",
		Short: "Carry a WireGuard device in user space (started by the agent)",
		Long: `Carry a WireGuard device in user space. The agent starts this where the kernel has no
WireGuard, in a process of its own, which outlives it. The device stays when the process
ends. Removing the device or the control socket ends the process.`,
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return wguser.Main(cmd.Context(), args[0], socket, ready)
		},
	}
	cmd.Flags().StringVar(&socket, wguser.SocketFlag[2:], "", "control socket")
	cmd.Flags().IntVar(&ready, wguser.ReadyFlag[2:], ready, "file descriptor to report to")
	return cmd
}

// openKernel opens the kernel's network, with what WireGuard devices of the agent with
// these directories need.
func openKernel(log *slog.Logger, d dirSettings, keys *wgkey.Ring) (*kernel.Kernel, error) {
	k, err := kernel.New(log)
	if err != nil {
		return nil, err
	}
	k.UseWireGuard(kernel.WireGuard{Dir: filepath.Join(d.runDir, "wireguard"), Keys: keys, Start: wguser.Start})
	return k, nil
}

// openKeys opens the agent's keys. Without a key that can be kept the agent runs all the
// same: only wireguard needs one.
func openKeys(d dirSettings, env func(string) (string, bool), log *slog.Logger) *wgkey.Ring {
	former, ok := env(keyFileVariable)
	if !ok {
		former = defaultKeyFile
	}
	keys, err := wgkey.Open(d.stateDir, former)
	if err != nil {
		log.Warn("the private key for WireGuard is not kept over a restart", "error", err)
	}
	return keys
}
