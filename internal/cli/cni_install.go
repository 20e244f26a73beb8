package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/cni/install"
)

// pluginName is the name of the plugin's program in weft's own directory.
const pluginName = "weft-cni"

// cniInstall holds the flags of 'weft cni install'.
type cniInstall struct {
	dirs               install.Dirs
	plugin             string
	config, configName string
}

func newCNIInstallCommand() *cobra.Command {
	var c cniInstall
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install the CNI plugin and its config",
		Long: `Copy the CNI plugin to weft and flannel in the directory of plugins, and then
the config to the directory of configs, each by rename, so that a runtime never
sees half a file. Run again, it replaces what an older version of weft left, or
does nothing.

A file of somebody else's, such as flannel's plugin, is kept beside weft's with
.before-weft behind its name; 'weft cni uninstall' puts it back.`,
		Example: `  weft cni install                    # the plugin alone
  weft cni install --config=/etc/kube-flannel/cni-conf.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd) },
	}
	fs := newFlagSet()
	addText(fs, &c.plugin, "plugin", "", "file", "the plugin; default weft-cni, beside this program")
	fs.Var(newValue(&c.dirs.Bin, "directory", "/opt/cni/bin", parseDir), "bin-dir", "where the runtime looks for plugins")
	fs.Var(newValue(&c.dirs.Conf, "directory", "/etc/cni/net.d", parseDir), "conf-dir", "where the runtime looks for configs")
	addText(fs, &c.config, "config", "", "file", "config list (JSON) to install; without, the configs stay as they are")
	addText(fs, &c.configName, "config-name", install.DefaultConfigName, "name", "name of the installed config; a runtime uses the first config in its directory")
	addRecordDirFlag(fs, &c.dirs.State)
	takeFlags(cmd, fs)
	return cmd
}

func (c *cniInstall) run(cmd *cobra.Command) error {
	if c.plugin == "" {
		own, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find %s beside this program: %w", pluginName, err)
		}
		c.plugin = filepath.Join(filepath.Dir(own), pluginName)
	}
	var config *install.Config
	if c.config != "" {
		var err error
		if config, err = install.ReadConfig(c.config, c.configName); err != nil {
			return withHint(err, "nothing was installed; correct the config, on Kubernetes cni-conf.json in weft's ConfigMap")
		}
	}
	steps, err := c.dirs.Install(c.plugin, config)
	printSteps(cmd.OutOrStdout(), steps)
	if err != nil || config == nil {
		return err
	}
	if missing := c.dirs.Missing(config); len(missing) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "weft: the config needs %s, which %s does not have: no pod starts without it; install your distribution's package of CNI plugins\n",
			strings.Join(missing, ", "), c.dirs.Bin)
	}
	return nil
}
