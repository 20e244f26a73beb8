package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/docker"
	"github.com/weft-net/weft/internal/kernel"
)

// dockerEnv holds the flags of the docker env command.
type dockerEnv struct {
	subnetFile, file string
	form             docker.Form
	output           string
}

// outputEnv is the form of an environment file, for docker env.
const outputEnv = "env"

// bridgeDocument is what Docker is told, for programs.
type bridgeDocument struct {
	header
	Address netip.Prefix `json:"address,omitzero"` // of Docker's bridge, with the length of the subnet; absent without IPv4
	V6      netip.Prefix `json:"subnetV6,omitzero"`
	MTU     int          `json:"mtu,omitempty"` // bytes
	Masq    *bool        `json:"ipMasq,omitempty"`
}

func newDockerEnvCommand(a *app) *cobra.Command {
	var d dockerEnv
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Write dockerd's options to an environment file",
		Long: `Write this host's subnet to an environment file, as options for dockerd's command
line, with the flags and the output of flannel's mk-docker-opts.sh. If the variable
of --key is set already, its value comes before the combined options. With -o json
or yaml, the subnet, MTU and masquerading are printed and no file is written.

The exit code is 1 if the subnet file is missing or has an invalid value, and,
after writing, if the routing table sends this host's own subnet to a gateway. The
format supports IPv4 only; 'weft docker configure' supports both families.`,
		Example: `  weft docker env                      # /run/docker_opts.env, for EnvironmentFile=
  weft docker env -c -k DOCKER_NETWORK_OPTIONS -d /run/docker/net.env
  weft docker env -d -                 # only show it`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.form.Before, _ = a.Env(d.form.Key)
			return d.run(cmd)
		},
	}
	fs := cmd.Flags()
	fs.VarP(newValue(&d.subnetFile, "file", defaultSubnetFile, parseText), "subnet-file", "f", "file with this host's subnet, as the agent writes it")
	fs.Lookup("subnet-file").Annotations = map[string][]string{fromEnv: {"true"}}
	fs.VarP(newValue(&d.file, "file", "/run/docker_opts.env", parseText), "output", "d", "file to write; - is standard output")
	fs.BoolVarP(&d.form.Individual, "individual", "i", false, "write a variable for each option: DOCKER_OPT_BIP, DOCKER_OPT_IPMASQ, DOCKER_OPT_MTU")
	fs.BoolVarP(&d.form.Combined, "combined", "c", false, "write one variable for all options (without -i and -c: both ways)")
	fs.VarP(newValue(&d.form.Key, "name", "DOCKER_OPTS", parseText), "key", "k", "name of the variable for all options")
	fs.BoolVarP(&d.form.NoMasq, "no-ip-masq", "m", false, "leave out --ip-masq")
	addFormFlag(cmd, &d.output, "format", []string{outputEnv, outputJSON, outputYAML})
	return cmd
}

func (d *dockerEnv) run(cmd *cobra.Command) error {
	bridge, err := readBridge(d.subnetFile)
	if err != nil {
		return err
	}
	doc := bridgeDocument{newHeader("DockerBridge"), bridge.Address, bridge.V6, bridge.MTU, bridge.Masq}
	return present(cmd.OutOrStdout(), d.output, doc, func() error { return d.write(cmd, bridge) })
}

func (d *dockerEnv) write(cmd *cobra.Command, bridge docker.Bridge) error {
	text, err := docker.Variables(bridge, d.form)
	if err != nil {
		return fmt.Errorf("--key: %w", err)
	}
	if err := writeVariables(cmd.OutOrStdout(), d.file, text); err != nil {
		return fmt.Errorf("write Docker's options: %w", err)
	}
	if !bridge.Address.IsValid() {
		return nil
	}
	return refuseRouted(cmd.Context(), bridge.Address.Masked())
}

// writeVariables replaces a regular file by rename, and writes directly to a
// pipe or /dev/stdout.
func writeVariables(w io.Writer, path, text string) error {
	if path == "-" {
		_, err := io.WriteString(w, text)
		return err
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(path, []byte(text), 0o644)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(path, []byte(text), 0o644)
}

// refuseRouted fails if packets to this host's own subnet leave the host: they
// would not reach Docker's bridge.
func refuseRouted(ctx context.Context, subnet netip.Prefix) error {
	k, err := kernel.New(slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer k.Close()
	gateways, err := k.Gateways(ctx, subnet)
	if err != nil {
		return err
	}
	if len(gateways) > 0 {
		return withHint(fmt.Errorf("the options were written, but the routing table sends this host's own subnet %s to %s", subnet, addrs(gateways)),
			"see 'ip route show %s'; remove that route, and make sure that no other host has the same subnet", subnet)
	}
	return nil
}
