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
		Short: "Give Docker this host's subnet",
		Long: `Give Docker's own bridge this host's subnet and MTU, as the running agent wrote
them to the subnet file: as keys of daemon.json, or as variables for dockerd's
command line, which is flannel's older way.`,
		Example: `  weft docker configure --restart   # daemon.json
  weft docker unconfigure --restart # as if it never was
  weft docker env                   # /run/docker_opts.env`,
	}, newDockerEnvCommand(a), newDockerConfigureCommand(), newDockerUnconfigureCommand())
}

// readBridge reads the subnet file.
func readBridge(path string) (docker.Bridge, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return docker.Bridge{}, withHint(fmt.Errorf("this host has no subnet yet: there is no %s", path), startAgent)
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

const startAgent = "the agent writes this file once it holds a lease: start it with 'weft up' or 'systemctl start weft', and see 'weft status'; --subnet-file names another one"

// defaultDaemonJSON is where dockerd looks.
const defaultDaemonJSON = "/etc/docker/daemon.json"

// daemonHint is for files of Docker's that may not be read or written.
func daemonHint(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return withHint(err, "run this as root, or name a file of your own with --daemon-json")
	}
	return err
}
