package cli

import (
	"io"
	"log/slog"

	"github.com/spf13/cobra"
)

// upName is the command that runs the agent.
const upName = "up"

func newUpCommand(a *app) *cobra.Command {
	s := &settings{}
	cmd := &cobra.Command{
		Use:   upName,
		Short: "Run the agent of this host",
		Long: `Run the agent: lease a subnet for this host, advertise how this host is reached,
and maintain devices, routes and neighbours so that every peer is reachable. It
runs until SIGTERM or SIGINT. What it configured stays in the kernel, so traffic
is not affected; 'weft clean' removes it.

The flags are flanneld's, with the same names and defaults, and some more. They
may begin with one dash or two. Every flag can also be given by an environment
variable: WEFT_ or FLANNELD_ and the flag's name in capitals with _ for -. The
command line overrides WEFT_, which overrides FLANNELD_.

Without any --etcd flag or variable, the agent runs an embedded etcd under
--state-dir, for this host only.`,
		Example: `  # one host, nothing else installed
  weft up

  # three hosts that share an etcd; the same on each
  weft up --etcd-endpoints=http://10.0.0.5:2379

  # etcd with TLS, authenticated by a certificate
  weft up --etcd-endpoints=https://10.0.0.5:2379,https://10.0.0.6:2379 \
    --etcd-cafile=ca.pem --etcd-certfile=host.pem --etcd-keyfile=host-key.pem

  # as a replacement of flanneld: the same command line under the same name
  ln -s /usr/bin/weft /usr/local/bin/flanneld
  flanneld -etcd-endpoints=http://10.0.0.5:2379 -iface=eth0 -ip-masq`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.version {
				printVersion(cmd.ErrOrStderr(), a.Version)
				return nil
			}
			s.chosen = anyGiven(cmd.Flags(), storeFlagPrefix)
			return up(cmd.Context(), s, a.Process, newLogger(cmd.ErrOrStderr(), s))
		},
	}
	fs := newFlagSet()
	addFlanneldFlags(fs, s)
	addWeftFlags(fs, s)
	addIgnoredFlags(fs)
	takeFlags(cmd, fs)
	return cmd
}

// newLogger writes to w, with the level and format of --log-level, --log-format and --v.
func newLogger(w io.Writer, s *settings) *slog.Logger {
	o := &slog.HandlerOptions{Level: s.slogLevel()}
	if s.format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
