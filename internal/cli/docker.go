package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/docker"
)

func newDockerCommand(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "docker",
		Short: "Configure Docker with this host's subnet",
		Long: `Configure Docker's default bridge with this host's subnet and MTU from the subnet
file: as keys of daemon.json, or, as flannel's script does, as variables for
dockerd's command line.`,
		Example: `  weft docker configure --restart   # daemon.json
  weft docker unconfigure --restart # restore the earlier values
  weft docker env                   # /run/docker_opts.env`,
	}, newDockerEnvCommand(a), newDockerConfigureCommand(), newDockerUnconfigureCommand())
}

// readBridge reads the subnet file.
func readBridge(path string) (docker.Bridge, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return docker.Bridge{}, withHint(fmt.Errorf("this host has no subnet yet: %s does not exist", path), startAgent)
	}
	if err != nil {
		return docker.Bridge{}, fmt.Errorf("read this host's subnet: %w", err)
	}
	b, err := docker.ParseBridge(data)
	if err != nil {
		return docker.Bridge{}, withHint(fmt.Errorf("%s: %w", path, err), startAgent)
	}
	return b, nil
}

const startAgent = "the agent writes this file when it has a lease: start the agent with 'weft up' or 'systemctl start weft', and see 'weft status'; or name another file with --subnet-file"

// defaultDaemonJSON is where dockerd looks.
const defaultDaemonJSON = "/etc/docker/daemon.json"

// daemonHint adds advice to errors about Docker's files that may not be read or written.
func daemonHint(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return withHint(err, "run as root, or name another file with --daemon-json")
	}
	return err
}
