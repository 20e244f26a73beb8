package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/docker"
)

// dockerConfigure gathers what the two commands about daemon.json are told.
type dockerConfigure struct {
	up           settings // of 'weft up': the subnet file
	file         string
	restart, dry bool
}

func newDockerConfigureCommand() *cobra.Command {
	var d dockerConfigure
	cmd := &cobra.Command{
		Use:   "configure",
		Short: "Put this host's subnet into daemon.json",
		Long: `Set bip, mtu and ip-masq, and with IPv6 also ipv6 and fixed-cidr-v6, in Docker's
daemon.json, and show what changes. All other keys stay, with their order and
layout. Run again, it follows the subnet file, or does nothing. A file that is
not JSON, or in which somebody else chose another address, is left alone.

What the keys were before is kept beside the file, for 'weft docker unconfigure'.`,
		Example: `  weft docker configure --dry-run
  weft docker configure --restart`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return d.configure(cmd) },
	}
	fs := newFlagSet()
	addSubnetFileFlag(fs, &d.up)
	takeFlags(cmd, fs)
	d.addFlags(cmd)
	return cmd
}

func newDockerUnconfigureCommand() *cobra.Command {
	var d dockerConfigure
	cmd := &cobra.Command{
		Use:   "unconfigure",
		Short: "Undo 'weft docker configure'",
		Long: `Give the keys of daemon.json that 'weft docker configure' set their earlier
values back, and show what changes. A file that nobody edited since becomes what
it was, byte for byte, or goes if there was none. A key that somebody changed
since stays as it is.

Docker remembers the addresses of docker0 by itself, and goes on using them until
daemon.json names others.`,
		Example: `  weft docker unconfigure --restart`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return d.unconfigure(cmd) },
	}
	d.addFlags(cmd)
	return cmd
}

func (d *dockerConfigure) addFlags(cmd *cobra.Command) {
	fs := newFlagSet()
	addText(fs, &d.file, "daemon-json", defaultDaemonJSON, "file", "Docker's configuration file")
	addBool(fs, &d.restart, "restart", "false", "if the file changes, restart Docker through systemd or supervisord")
	addBool(fs, &d.dry, "dry-run", "false", "only show what would change")
	takeFlags(cmd, fs)
}

func (d *dockerConfigure) configure(cmd *cobra.Command) error {
	bridge, err := readBridge(d.up.subnetFile)
	if err != nil {
		return err
	}
	want, err := bridge.Settings()
	if err != nil {
		return withHint(fmt.Errorf("%s: %w", d.up.subnetFile, err), startAgent)
	}
	file, err := docker.ReadDaemonJSON(d.file)
	if err != nil {
		return daemonHint(fmt.Errorf("read Docker's configuration: %w", err))
	}
	change, err := file.Configure(want)
	if err != nil {
		return notOurs(err)
	}
	return d.apply(cmd, change, "says so already")
}

func (d *dockerConfigure) unconfigure(cmd *cobra.Command) error {
	file, err := docker.ReadDaemonJSON(d.file)
	if err != nil {
		return daemonHint(fmt.Errorf("read Docker's configuration: %w", err))
	}
	if !file.Configured() {
		fmt.Fprintf(cmd.OutOrStdout(), "%s holds nothing of weft's\n", d.file)
		return nil
	}
	change, err := file.Unconfigure()
	if err != nil {
		return notOurs(err)
	}
	for _, key := range change.Changed {
		fmt.Fprintf(cmd.ErrOrStderr(), "weft: %s: somebody changed %q since; it stays\n", change.Path(), key)
	}
	return d.apply(cmd, change, "holds nothing of weft's any more")
}

// notOurs gives advice for a file that is left alone.
func notOurs(err error) error {
	if _, ok := errors.AsType[*docker.ConflictError](err); ok {
		return err
	}
	return withHint(err, "correct the file, which Docker could not read either; nothing was changed")
}

// apply shows and makes the change; same says what an empty one means.
func (d *dockerConfigure) apply(cmd *cobra.Command, change docker.Change, same string) error {
	w := cmd.OutOrStdout()
	fmt.Fprint(w, change.Diff())
	if d.dry {
		if change.Empty() {
			fmt.Fprintf(w, "%s %s\n", change.Path(), same)
		}
		return nil
	}
	if err := change.Write(); err != nil {
		return daemonHint(fmt.Errorf("write Docker's configuration: %w", err))
	}
	switch {
	case change.Empty():
		fmt.Fprintf(w, "%s %s\n", change.Path(), same)
		if d.restart {
			fmt.Fprintln(w, "Docker is not restarted: nothing changed")
		}
		return nil
	case change.Removes():
		fmt.Fprintln(w, "removed", change.Path())
	default:
		fmt.Fprintln(w, "wrote", change.Path())
	}
	if !d.restart {
		fmt.Fprintln(w, "Docker follows when it is restarted; --restart does that, too")
		return nil
	}
	return restartDocker(cmd.Context(), w)
}
