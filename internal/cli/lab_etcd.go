package cli

import (
	"errors"
	"fmt"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/store/embedded"
)

// newLabEtcdCommand is the store of a lab: the etcd in this binary, on an address of the lab's.
func newLabEtcdCommand() *cobra.Command {
	var dir, listen string
	cmd := &cobra.Command{
		Use:    "etcd",
		Short:  "Serve a lab's store (started by the lab)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			server, err := embedded.Serve(cmd.Context(), embedded.ServerOptions{
				Dir: dir, Listen: listen, Log: newLogger(cmd.ErrOrStderr(), &settings{}),
			})
			if err != nil {
				return err
			}
			if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
				return errors.Join(fmt.Errorf("tell that etcd is ready: %w", err), server.Close())
			}
			<-cmd.Context().Done()
			return server.Close()
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "directory for the data")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "address and port to serve")
	return cmd
}
