package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/explain"
	"github.com/weft-net/weft/internal/netdump"
	"github.com/weft-net/weft/internal/wgkey"
)

// explainer holds the explain command's flags.
type explainer struct {
	planner
	protocol uint8
	port     int
	bundle   string // archive whose host is explained in place of this one
	send     bool
}

// protocols that a packet may have, by the names that --protocol takes.
var protocols = map[string]uint8{"icmp": 0, "tcp": 6, "udp": 17}

func newExplainCommand(a *app) *cobra.Command {
	e := explainer{planner: planner{env: a.Env, alone: a.alone}}
	cmd := &cobra.Command{
		Use:   "explain SRC DST",
		Short: "Follow a packet through this host and find where it is lost",
		Long: `Follow a packet from SRC to DST through this host, station by station: device,
policy rule, route, firewall chains, neighbour, forwarding entry, tunnel and
underlay. The way ends at the first broken link, with the remedy. Nothing is sent
and nothing is changed: the kernel is asked, and compared with the plan.

With --send one packet is sent as SRC would send it, from the container's network
namespace or from this host, and the kernel tells which firewall rules it and its
answer meet (nftables trace; iptables-nft is included, iptables-legacy is not). For
that a table of weft's own is added, and removed again.

SRC and DST are addresses: of a container, of a host, of anything outside, or of
a Kubernetes service. The name of a host stands for the address that it
advertises, and the subnet of a peer for an address in it. One of both must be
on this host.

The exit code is 0 if no station is broken, 1 if one is, and 2 for a wrong command
line. A station that cannot be judged from here does not count as broken.`,
		Example: `  weft explain 10.42.61.2 10.42.7.9
  weft explain 10.42.61.2 10.96.0.10 --protocol=udp --port=53
  weft explain h2 10.42.61.2
  weft explain 10.42.61.2 10.42.7.0/24 -o json
  weft explain --bundle weft-h1.tar.gz 10.42.61.2 10.42.7.9`,
		Args:              twoEnds,
		ValidArgsFunction: completeEnds,
		RunE:              func(cmd *cobra.Command, args []string) error { return e.run(cmd, args) },
	}
	fs := newFlagSet()
	e.addPlanFlags(fs)
	fs.Var(newValue(&e.protocol, "icmp|tcp|udp", "icmp", parseProtocol), "protocol", "protocol of the packet; with --port the default is tcp")
	fs.Var(newValue(&e.port, "number", "0", parseInt(0, 65535, " for a port")), "port", "destination port of the packet")
	addText(fs, &e.bundle, "bundle", "", "file", "explain the host of this archive of 'weft bundle' in place of this host")
	addBool(fs, &e.send, "send", "false", "send such a packet and follow it through the firewall's rules")
	takeFlags(cmd, fs)
	addOutputFlag(cmd, &e.output)
	return cmd
}

func parseProtocol(s string) (uint8, error) {
	n, ok := protocols[s]
	if !ok {
		return 0, errors.New("must be icmp, tcp or udp")
	}
	return n, nil
}

func twoEnds(cmd *cobra.Command, args []string) error {
	if len(args) == 2 {
		return nil
	}
	return &usageError{
		fmt.Errorf("'%s' needs a source and a destination, for example: weft explain 10.42.61.2 10.42.7.9", cmd.CommandPath()),
		fmt.Sprintf("'%s --help' has more examples", cmd.CommandPath()),
	}
}

func (e *explainer) run(cmd *cobra.Command, args []string) error {
	if e.bundle != "" && e.send {
		return usagef("--send sends from this host, and --bundle is of another")
	}
	if e.bundle != "" {
		f, err := bundledFacts(e.bundle)
		if err != nil {
			return err
		}
		return e.explain(cmd, args, f, func(q netdump.Question) (netdump.Answer, error) { return f.Kernel.Lookup(q), nil }, nil)
	}
	ctx, cancel := e.context(cmd)
	defer cancel()
	k, err := openKernel(slog.New(slog.DiscardHandler), e.dirSettings, wgkey.Look(e.stateDir))
	if err != nil {
		return err
	}
	defer k.Close()
	f, err := e.facts(ctx, cmd, k)
	if err != nil {
		return err
	}
	return e.explain(cmd, args, f, func(q netdump.Question) (netdump.Answer, error) { return k.Ask(ctx, q) }, sendBy(ctx, k))
}

func (e *explainer) explain(cmd *cobra.Command, args []string, f explain.Facts, route explain.Router, send sendFunc) error {
	q, err := e.query(args, f)
	if err != nil {
		return err
	}
	found, err := explain.Explain(f, q, route)
	if elsewhere, ok := errors.AsType[*explain.ElsewhereError](err); ok {
		return &usageError{elsewhere, elsewhere.Hint()}
	}
	if err == nil && e.send {
		found.Trace, err = e.trace(f, q, found, send)
	}
	if err != nil {
		return err
	}
	err = present(cmd.OutOrStdout(), e.output, explanationOf(found), func() error { return showExplanation(cmd.OutOrStdout(), found) })
	if _, broken := found.Broken(); err == nil && broken {
		err = &exitError{code: exitFailure}
	}
	return err
}

func (e *explainer) query(args []string, f explain.Facts) (q explain.Query, err error) {
	if q.Src, err = endOf(args[0], f); err != nil {
		return q, err
	}
	if q.Dst, err = endOf(args[1], f); err != nil {
		return q, err
	}
	if q.Src.Is4() != q.Dst.Is4() {
		return q, usagef("%s and %s are not of one address family", q.Src, q.Dst)
	}
	q.Proto, q.Port = e.protocol, uint16(e.port)
	if q.Port != 0 && q.Proto == 0 {
		q.Proto = protocols["tcp"]
	}
	return q, nil
}

// endOf returns the address that a word means.
func endOf(word string, f explain.Facts) (netip.Addr, error) {
	if a, err := netip.ParseAddr(word); err == nil {
		return a.Unmap(), nil
	}
	if p, err := netip.ParsePrefix(word); err == nil {
		return p.Masked().Addr().Next().Next(), nil // behind the host's own addresses
	}
	if word != "" && word == f.Status.Hostname && len(f.Status.Lease.Public) > 0 {
		return f.Status.Lease.Public[0], nil
	}
	i := slices.IndexFunc(f.Status.Peers, func(p api.Peer) bool { return p.Name == word && len(p.Public) > 0 })
	if i < 0 {
		return netip.Addr{}, &usageError{
			fmt.Errorf("%q is neither an address nor the name of a host", word),
			"'weft status' lists the names and subnets of hosts",
		}
	}
	return f.Status.Peers[i].Public[0], nil
}

// completeEnds offers the names and subnets of peers for both ends.
func completeEnds(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completePeers(cmd, nil, word)
}

// explanationDocument is a packet's way for programs.
type explanationDocument struct {
	header
	explain.Result
	Intact bool `json:"intact"` // no station is broken
}

func explanationOf(r explain.Result) explanationDocument {
	_, broken := r.Broken()
	return explanationDocument{newHeader("Explanation"), r, !broken}
}

func showExplanation(w io.Writer, r explain.Result) error {
	fmt.Fprintf(w, "%s -> %s\n\n", endText(r.Source), endText(r.Destination))
	if err := showStations(w, r.Stations); err != nil {
		return err
	}
	if len(r.Trace) > 0 {
		fmt.Fprintln(w, "\nsent:")
		if err := showStations(w, r.Trace); err != nil {
			return err
		}
	}
	if s, broken := r.Broken(); broken {
		fmt.Fprintf(w, "\n%s\n  remedy: %s\n", oneLine("broken at "+s.Name+": "+s.Object), indented(s.Remedy))
		return nil
	}
	text := "no broken link was found"
	if slices.ContainsFunc(slices.Concat(r.Stations, r.Trace), func(s explain.Station) bool { return s.State == explain.Unknown }) {
		text += "; what is unknown cannot be judged from here"
	}
	_, err := fmt.Fprintln(w, "\n"+text)
	return err
}

func showStations(w io.Writer, list []explain.Station) error {
	t := newTable(w, columnGap)
	for _, s := range list {
		line := oneLine(s.Object)
		if s.Note != "" {
			line += "; " + oneLine(firstLine(s.Note))
		}
		v := map[explain.State]verdict{explain.OK: good, explain.Unknown: doubt, explain.Broken: bad}[s.State]
		first := cell{string(s.State), v.style}
		if marked(w) {
			first = cell{v.mark, v.style}
		}
		t.cells(first, cell{s.Name, plain}, cell{line, plain})
	}
	return t.flush()
}

// endText is an end with what it is to this host.
func endText(e explain.End) string {
	what := map[explain.Kind]string{
		explain.ThisHost: "this host", explain.Container: "container of this host", explain.PeerSubnet: "container of %s",
		explain.PeerHost: "host %s", explain.Unassigned: "in the network, but in no lease", explain.Outside: "outside the network",
	}[e.Kind]
	return fmt.Sprintf("%s (%s)", e.Addr, strings.ReplaceAll(what, "%s", oneLine(e.Host)))
}
