package cli

import (
	"strings"

	"github.com/spf13/pflag"
)

// flagGroup is a heading in the help, and what its flags are called: whole
// names, or their beginnings where these end with a hyphen.
type flagGroup struct {
	title string
	names []string
}

// ignoredNote begins the usage of flags that are accepted and have no effect.
const ignoredNote = "ignored (flanneld compatibility)"

// The headings of flags that belong to a command alone, and of those that do
// nothing.
const (
	ownFlags     = "Flags"
	ignoredTitle = "Ignored, for flanneld compatibility"
)

// flagGroups are the headings in the order of the help. The first is for flags
// that no other names.
var flagGroups = []flagGroup{
	{title: ownFlags},
	{"Store (etcd)", []string{"etcd-"}},
	{"Store (Kubernetes)", []string{"kube-", "kubeconfig-file", "net-config-path", "set-node-network-unavailable"}},
	{"Interface and advertised address", []string{"iface", "iface-", "public-ip", "public-ipv6"}},
	{"Masquerade and firewall", []string{"ip-masq", "ip-masq-", "iptables-forward-rules", "ip-blackhole-route", "nft-table", "fast-path"}},
	{"Agent", []string{"subnet-lease-renew-margin", "resync"}},
	{"Health, metrics and page", []string{"healthz-", "metrics", "ui-port"}},
	{"Log", []string{"log-", "v"}},
	{"Files and directories", []string{"subnet-file", "state-dir", "run-dir", "lock-dir"}},
	{title: ignoredTitle},
}

// groupOf returns the heading of a flag.
func groupOf(f *pflag.Flag) string {
	if strings.HasPrefix(f.Usage, ignoredNote) {
		return ignoredTitle
	}
	for _, g := range flagGroups {
		for _, name := range g.names {
			if f.Name == name || strings.HasSuffix(name, "-") && strings.HasPrefix(f.Name, name) {
				return g.title
			}
		}
	}
	return ownFlags
}

// grouped returns the flags of fs that are not hidden by heading, sorted by
// name.
func grouped(fs *pflag.FlagSet) map[string][]*pflag.Flag {
	out := map[string][]*pflag.Flag{}
	fs.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			title := groupOf(f)
			out[title] = append(out[title], f)
		}
	})
	return out
}
