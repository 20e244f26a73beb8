package cli

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
)

// leasesDocument is the list of leases for programs.
type leasesDocument struct {
	header
	Leases []listedLease `json:"leases"`
}

// listedLease is one line of lease list.
type listedLease struct {
	Host     string         `json:"host,omitempty"`
	Version  string         `json:"version,omitempty"` // of the host's agent
	Subnets  []netip.Prefix `json:"subnets,omitempty"`
	Key      string         `json:"key"`
	Public   []netip.Addr   `json:"public,omitempty"`
	Backend  string         `json:"backend,omitempty"`
	Reserved bool           `json:"reserved,omitempty"`
	Seconds  int64          `json:"ttlSeconds,omitempty"` // what is left; 0: unknown, or it does not expire
	Problem  string         `json:"problem,omitempty"`
	term     string
}

func newLeaseListCommand() *cobra.Command {
	var x access
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all leases and reservations",
		Long: `List every lease in the store: subnet, the address that its host advertises, the
backend, whether it is reserved or when it expires unless it is renewed, and
problems.`,
		Example: "  weft lease list\n  weft lease list -o json --etcd-endpoints=http://10.0.0.5:2379",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			snap, err := x.timed(cmd)
			if err != nil {
				return err
			}
			list := listLeases(snap)
			doc := leasesDocument{newHeader("LeaseList"), list}
			return present(cmd.OutOrStdout(), output, doc, func() error { return showLeases(cmd.OutOrStdout(), list, output == outputWide) })
		},
	}
	x.flags(cmd)
	addOutputFlag(cmd, &output)
	return cmd
}

// timed reads the store once, with the remaining time of the leases where the
// store has it.
func (x *access) timed(cmd *cobra.Command) (snap store.Snapshot, err error) {
	err = x.with(cmd, false, func(ctx context.Context, st store.Store) error {
		if snap, err = st.Snapshot(ctx); err != nil {
			return err
		}
		timer, ok := st.(store.Timer)
		if !ok {
			return nil
		}
		leases := snap.Leases.Slice()
		err = timer.Terms(ctx, leases)
		snap.Leases = lease.SetOf(leases...)
		return err
	})
	return snap, err
}

// listLeases returns the leases by subnet, then the undecodable entries among
// them.
func listLeases(snap store.Snapshot) []listedLease {
	net, netErr := storedNetwork(snap)
	holders := map[netip.Addr]string{}
	members := regularHosts(net, netErr, snap)
	var list []listedLease
	for l := range snap.Leases.All() {
		h, _ := snap.Hosts.Find(lease.HostOf(l.Subnets))
		entry := listedLease{
			Host: h.Name, Version: h.Version, Subnets: l.Subnets, Key: lease.Key(l.Subnets), Public: l.Public, Backend: l.Backend,
			Reserved: l.Reserved, Seconds: int64(l.TTL.Seconds()), term: leaseTerm(l),
		}
		if netErr == nil {
			entry.Problem = misfit(net, l.Subnets, snap.Assigned != nil)
		}
		if entry.Problem != "" && slices.ContainsFunc(l.Public, func(a netip.Addr) bool { return members[a] }) {
			entry.Problem = "draining: " + entry.Problem
			list = append(list, entry)
			continue
		}
		for _, a := range l.Public {
			if first, twice := holders[a]; twice && entry.Problem == "" {
				entry.Problem = fmt.Sprintf("advertises %s, as %s does", a, first)
			}
			holders[a] = lease.FormatSubnets(l.Subnets)
		}
		list = append(list, entry)
	}
	for _, bad := range snap.Bad {
		list = append(list, listedLease{Key: bad.Key, Problem: bad.Err.Error()})
	}
	return list
}

// regularHosts returns the addresses that leases of net advertise: another
// lease of such a host is draining.
func regularHosts(net netconf.Network, netErr error, snap store.Snapshot) map[netip.Addr]bool {
	members := map[netip.Addr]bool{}
	for l := range snap.Leases.All() {
		for _, a := range l.Public {
			members[a] = members[a] || netErr == nil && misfit(net, l.Subnets, snap.Assigned != nil) == ""
		}
	}
	return members
}

// leaseTerm returns the text for when a lease expires.
func leaseTerm(l lease.Lease) string {
	switch {
	case l.Reserved:
		return "reserved"
	case l.TTL > 0:
		return coarse(l.TTL) + " left"
	}
	return "lease"
}

func showLeases(w io.Writer, list []listedLease, wide bool) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "no leases")
		return err
	}
	t := newTable(w, columnGap)
	version := func(string) []string { return nil } // a column of wide
	if wide {
		version = func(v string) []string { return []string{v} }
	}
	t.header(slices.Concat([]string{"HOST", "SUBNET", "PUBLIC", "BACKEND", "TERM"}, version("VERSION"), []string{"PROBLEM"})...)
	for _, l := range list {
		name := lease.FormatSubnets(l.Subnets)
		if name == "" {
			name = l.Key
		}
		s := plain
		if l.Problem != "" {
			s = yellow
		}
		cells := []string{orNone(l.Host), name, addrs(l.Public), orNone(l.Backend), orNone(l.term)}
		t.add(s, slices.Concat(cells, version(orNone(l.Version)), []string{orNone(l.Problem)})...)
	}
	err := t.flush()
	summarizeLeases(w, list)
	return err
}

func summarizeLeases(w io.Writer, list []listedLease) {
	reserved, problems := 0, 0
	for _, l := range list {
		if l.Reserved {
			reserved++
		}
		if l.Problem != "" {
			problems++
		}
	}
	v := good
	if problems > 0 {
		v = doubt
	}
	summarize(w, v, "%d leases, %d of them reserved, %d with a problem", len(list), reserved, problems)
}
