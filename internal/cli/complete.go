package cli

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/lab/holder"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
)

// The shell asks for words while a person types: an answer that does not come
// at once is none, and errors are not shown.

// completeTime bounds the search for words.
const completeTime = time.Second

// completions are the words that a kind of flag takes.
var completions = map[string][]string{
	"level":  {"debug", "info", "warn", "error"},
	"format": {"text", "json"},
	"bool":   {"true", "false"},

	"local|weft|all": {"local", "weft", "all"},
	"off|auto":       {"off", "auto"},
}

// complete lets the shell complete the values of f.
func complete(cmd *cobra.Command, f *pflag.Flag) {
	register := func(words cobra.CompletionFunc) {
		_ = cmd.RegisterFlagCompletionFunc(f.Name, words) // fails only for a flag that is not there, and f is
	}
	switch words, fixed := completions[f.Value.Type()]; {
	case fixed:
		register(cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	case f.Value.Type() == interfaceKind:
		register(completeInterfaces)
	case f.Value.Type() == "directory":
		_ = cmd.MarkFlagDirname(f.Name)
	case f.Value.Type() != "file":
		register(cobra.NoFileCompletions)
	}
}

// interfaceKind is the kind of flags that name interfaces.
const interfaceKind = "name|address"

// completeInterfaces offers the interfaces of this host.
func completeInterfaces(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	all, _ := net.Interfaces()
	for _, i := range all {
		if i.Flags&net.FlagLoopback == 0 {
			names = append(names, i.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completePeers offers the host names and subnets of the agent's peers.
func completePeers(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var words []string
	prepare(cmd)
	dirs := dirSettings{runDir: cmd.Flag("run-dir").Value.String()}
	if len(args) == 0 {
		_ = askAgent(cmd, dirs, onceSettings{timeout: completeTime}, func(ctx context.Context, agent *api.Client) error {
			s, err := agent.Status(ctx)
			for _, p := range s.Peers {
				words = append(words, wordsOf(p)...)
			}
			return err
		})
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// wordsOf are the name and the subnets of a peer, each explained by the other.
func wordsOf(p api.Peer) []string {
	subnets := lease.FormatSubnets(p.Subnets)
	var words []string
	if p.Name != "" {
		words = append(words, p.Name+"\t"+subnets)
	}
	for _, s := range p.Subnets {
		words = append(words, s.String()+"\t"+p.Name)
	}
	return words
}

// completeLeases returns a function that offers the subnets of leases in x's
// store, each with the address that its host advertises. A store that would
// have to be started for it is left alone.
func completeLeases(x *access) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		prepare(cmd)
		x.timeout = completeTime
		x.chosen = anyGiven(cmd.Flags(), storeFlagPrefix)
		agent, _ := running(cmd.Context(), x.runDir)
		if agent != nil {
			agent.Close()
		}
		var words []string
		if agent != nil || x.chosen || x.subnetMgr {
			_ = x.silently(cmd, false, func(ctx context.Context, st store.Store) error {
				snap, err := st.Snapshot(ctx)
				for l := range snap.Leases.All() {
					words = append(words, lease.FormatSubnets(l.Subnets)+"\t"+addrs(l.Public))
				}
				return err
			})
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeKeys offers the keys of the config.
func completeKeys(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, key := range netconf.Keys {
		out = append(out, key+"=")
	}
	return out, cobra.ShellCompDirectiveNoSpace
}

// completeLab returns a function that offers words of the lab that runs, for the
// first argument; after that the shell does as next says.
func completeLab(next cobra.ShellCompDirective, offer func(*holder.Status) []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, next
		}
		place, err := labPlace()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		status, err := place.Status()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return offer(status), cobra.ShellCompDirectiveNoFileComp
	}
}

// labNodes are the hosts and pods of a lab.
func labNodes(status *holder.Status) (words []string) {
	for _, h := range status.Hosts {
		words = append(words, h.Name+"\t"+strings.Join(h.Addrs, ","))
		for _, pod := range h.Pods {
			name, _, _ := strings.Cut(pod, " ")
			words = append(words, name+"\tpod on "+h.Name)
		}
	}
	return words
}

// labCables are the hosts and segments of a lab.
func labCables(status *holder.Status) (words []string) {
	for _, h := range status.Hosts {
		words = append(words, h.Name+"\ton segment "+h.Segment)
	}
	for _, s := range status.Segments {
		words = append(words, s+"\tsegment")
	}
	return words
}

// prepare applies the environment to cmd's flags, as before a command runs.
func prepare(cmd *cobra.Command) { _ = cmd.Root().PersistentPreRunE(cmd, nil) }
