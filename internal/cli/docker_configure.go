package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/docker"
)

// dockerConfigure holds the flags of the two commands about daemon.json.
type dockerConfigure struct {
	up           settings // of 'weft up': the subnet file
	file         string
	version      string // of dockerd; "": to be found out
	restart, dry bool
}

func newDockerConfigureCommand() *cobra.Command {
	var d dockerConfigure
	cmd := &cobra.Command{
		Use:   "configure",
		Short: "Put this host's subnet into daemon.json",
		Long: `Set bip, mtu and ip-masq, with IPv6 also ipv6 and fixed-cidr-v6, and for Docker 28.2
and later allow-direct-routing, in Docker's daemon.json, and show what changes. All
other keys stay, with their order and layout. Run it again after the subnet file has
changed: 'weft status' says so. If the file is up to date, it asks Docker whether it
runs with it.
A file that is not JSON, or that has another address already, is not changed.

The earlier values are stored beside the file, for 'weft docker unconfigure'.`,
		Example: `  weft docker configure --dry-run
  weft docker configure --restart`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return d.configure(cmd) },
	}
	fs := newFlagSet()
	addSubnetFileFlag(fs, &d.up)
	addText(fs, &d.version, "docker-version", "", "version", "dockerd's version; without it, that of the running or installed dockerd")
	takeFlags(cmd, fs)
	d.addFlags(cmd)
	return cmd
}

func newDockerUnconfigureCommand() *cobra.Command {
	var d dockerConfigure
	cmd := &cobra.Command{
		Use:   "unconfigure",
		Short: "Undo 'weft docker configure'",
		Long: `Restore the earlier values of the keys that 'weft docker configure' set in
daemon.json, and show what changes. A file that nobody edited since becomes what
it was, byte for byte; it is removed if it did not exist. A key that somebody
changed since stays as it is.

Docker stores the addresses of docker0 itself, and uses them until daemon.json
names others.`,
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
	addBool(fs, &d.restart, "restart", "false", "restart Docker through systemd or supervisord, unless it runs with these settings already")
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
	more, note := docker.ForVersion(dockerVersion(cmd.Context(), d.version))
	file, err := docker.ReadDaemonJSON(d.file)
	if err != nil {
		return daemonHint(fmt.Errorf("read Docker's configuration: %w", err))
	}
	change, err := file.Configure(append(want, more...))
	if err != nil {
		return notOurs(err)
	}
	if note != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "weft: warning: %s\n", note)
	}
	for _, w := range file.Warnings(bridge) {
		fmt.Fprintf(cmd.ErrOrStderr(), "weft: warning: %s: %s\n", change.Path(), indented(w))
	}
	if err := d.apply(cmd, change, "is already up to date"); err != nil {
		return err
	}
	return d.settle(cmd, change, true)
}

func (d *dockerConfigure) unconfigure(cmd *cobra.Command) error {
	file, err := docker.ReadDaemonJSON(d.file)
	if err != nil {
		return daemonHint(fmt.Errorf("read Docker's configuration: %w", err))
	}
	change, err := file.Unconfigure()
	if err != nil {
		return notOurs(err)
	}
	for _, key := range change.Changed {
		fmt.Fprintf(cmd.ErrOrStderr(), "weft: %s: %q was changed by somebody else; it is kept\n", change.Path(), key)
	}
	if err := d.apply(cmd, change, "has no settings of weft"); err != nil {
		return err
	}
	return d.settle(cmd, change, file.Configured())
}

// notOurs adds advice to the error about a file that is not changed.
func notOurs(err error) error {
	if _, ok := errors.AsType[*docker.ConflictError](err); ok {
		return err
	}
	return withHint(err, "fix the file; nothing was changed")
}

// apply shows and makes the change; same is the text for an empty one.
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
	case change.Removes():
		fmt.Fprintln(w, "removed", change.Path())
	default:
		fmt.Fprintln(w, "wrote", change.Path())
	}
	return nil
}

// settle restarts Docker, if told to and if it does not run with what the file
// says; or says what to do. silent is what behind takes.
func (d *dockerConfigure) settle(cmd *cobra.Command, change docker.Change, silent bool) error {
	w := cmd.OutOrStdout()
	switch behind := !change.Empty() || d.behind(cmd, change, silent); {
	case !behind || d.dry:
		return nil
	case !d.restart:
		fmt.Fprintln(w, "restart Docker to apply, or pass --restart")
		return nil
	}
	return restartDocker(cmd.Context(), w)
}

// behind reports, and says, whether Docker runs with something else than the file
// says. One that does not answer counts if it is to be restarted and silent is set.
func (d *dockerConfigure) behind(cmd *cobra.Command, change docker.Change, silent bool) bool {
	w := cmd.OutOrStdout()
	running, err := docker.Ask(cmd.Context(), dockerSocket())
	if err != nil {
		if silent = silent && d.restart; silent {
			fmt.Fprintf(w, "Docker does not answer: %v\n", err)
		}
		return silent
	}
	pending := change.Pending(running)
	switch {
	case len(pending) > 0:
		fmt.Fprintf(w, "Docker still runs with %s\n", strings.Join(pending, "; "))
	case d.restart:
		fmt.Fprintln(w, "not restarting Docker: it runs with these settings already")
	}
	return len(pending) > 0
}
