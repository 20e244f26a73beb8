package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/lease"
)

func newStatusCommand(a *app) *cobra.Command {
	var dirs dirSettings
	var once onceSettings
	var v statusView
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the state of the running agent",
		Long: `Show the state of this host's agent: uplink, lease, store, every peer with the
path that packets to it take now, and problems.

The states, and the exit codes that go with them:

  0  ready      this host is reached as it advertises; no problem is known
                for which packets are lost
  3  degraded   as above, but there is such a problem, or the store is
                unreachable
  1  NOT READY  this host may be unreachable, or no agent is running`,
		Example: `  weft status
  weft status -o wide
  weft status --problems
  weft status --watch
  weft status -o json | jq .peers`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return askAgent(cmd, dirs, once, func(ctx context.Context, agent *api.Client) error {
				s, err := agent.Status(ctx)
				if err != nil {
					return err
				}
				if v.watch {
					return v.follow(cmd, agent, s)
				}
				if err := v.show(cmd.OutOrStdout(), s, time.Now()); err != nil {
					return err
				}
				return exitOf(s)
			})
		},
	}
	fs := newFlagSet()
	addRunDirFlag(fs, &dirs)
	addOnceFlags(fs, &once)
	takeFlags(cmd, fs)
	addOutputFlag(cmd, &v.output)
	cmd.Flags().BoolVar(&v.problems, "problems", false, "leave out the peers")
	cmd.Flags().BoolVarP(&v.watch, "watch", "w", false, "show it again whenever it changes, until interrupted")
	return cmd
}

// exitOf returns what a state is to the exit code, nil for a ready agent.
func exitOf(s api.Status) error {
	switch {
	case !s.Ready:
		return &exitError{code: exitFailure}
	case s.State == api.StateDegraded:
		return &exitError{code: exitDegraded}
	}
	return nil
}

// statusView is what of a status is shown, and how.
type statusView struct {
	output   string
	problems bool // the peers are left out
	watch    bool
}

func (v statusView) show(w io.Writer, s api.Status, now time.Time) error {
	doc := statusDocument{newHeader("Status"), s}
	return present(w, v.output, doc, func() error { return v.showText(w, s, now) })
}

func (v statusView) showText(w io.Writer, s api.Status, now time.Time) error {
	wide := v.output == outputWide
	t := newTable(w, columnGap)
	for _, line := range statusLines(s, wide, now) {
		line.addTo(t, marked(w))
	}
	if err := t.flush(); err != nil {
		return err
	}
	named := nameProblems(s)
	showProblems(w, "problems", named, func(s api.Severity) bool { return s != api.SeverityNote })
	showProblems(w, "notes", named, func(s api.Severity) bool { return s == api.SeverityNote })
	if !v.problems {
		showPeers(w, s.Peers, wide)
	}
	if marked(w) {
		fmt.Fprintln(w)
	}
	summarize(w, stateVerdict(s), "%s", summaryOf(s))
	return nil
}

// summaryOf is the state, with the number of problems and of peers.
func summaryOf(s api.Status) string {
	word := map[verdict]string{good: "ready", doubt: "degraded", bad: "not ready"}[stateVerdict(s)]
	problems := 0
	for _, p := range s.Problems {
		if p.Severity != api.SeverityNote {
			problems++
		}
	}
	return fmt.Sprintf("%s; problems: %d; peers: %s", word, problems, peersLine(s.Peers))
}

// showProblems prints those of problems whose severity is of a kind, if any.
func showProblems(w io.Writer, title string, problems []api.Problem, kind func(api.Severity) bool) {
	title = "\n" + title + "\n"
	for _, p := range problems {
		if kind(p.Severity) {
			fmt.Fprintf(w, "%s  %s: %s\n", title, oneLine(p.Subject), indented(p.Message))
			title = ""
		}
	}
}

// stateLine is the state, and the first problem that it is not better for.
func stateLine(s api.Status) string {
	switch {
	case !s.Ready:
		return "NOT READY: " + orNone(firstLine(s.NotReady))
	case s.State == api.StateDegraded:
		for _, p := range s.Problems {
			if p.Severity == api.SeverityWarning {
				return "DEGRADED: " + firstLine(oneLine(p.Subject)+": "+p.Message)
			}
		}
	}
	return string(api.StateReady)
}

// statusDocument is a status for programs.
type statusDocument struct {
	header
	api.Status
}

// statusLine is a line of the upper part.
type statusLine struct {
	label   string
	verdict verdict
	text    string
}

// addTo adds the line to a table, with its verdict if there is room for marks.
func (l statusLine) addTo(t *table, marks bool) {
	if !marks {
		t.row(l.label, l.text)
		return
	}
	s := l.verdict.style
	if l.verdict == good {
		s = plain // only the mark is green
	}
	t.cells(cell{l.label, plain}, cell{l.verdict.mark, l.verdict.style}, cell{l.text, s})
}

// statusLines is the upper part.
func statusLines(s api.Status, wide bool, now time.Time) []statusLine {
	out := []statusLine{
		{"agent", neutral, fmt.Sprintf("%s on %s, up %s", s.Version, orNone(s.Hostname), since(s.Started, now))},
		{"state", stateVerdict(s), stateLine(s)},
		{"network", goodIf(len(s.Network) > 0), networkLine(s)},
		{"uplink", goodIf(s.Uplink.Name != ""), uplinkLine(s.Uplink)},
		{"lease", goodIf(s.Lease.Held), leaseLine(s.Lease, now)},
		{"store", goodIf(s.Store.Up), storeLine(s.Store, now)},
		{"kernel", goodIf(!s.Pass.At.IsZero() && s.Pass.Failed == 0), passLine(s.Pass, now)},
		{"peers", peersVerdict(s.Peers), peersLine(s.Peers)},
	}
	if f := s.FastPath; f != nil {
		out = append(out, statusLine{"fast path", good, fastPathLine(*f)})
	}
	if e := s.Encryption; e != nil {
		out = append(out, statusLine{"encrypted", encryptionVerdict(*e), encryptionLine(*e)})
	}
	if d := s.GuardDrops; d != nil && *d > 0 {
		out = append(out, statusLine{"guard", doubt, fmt.Sprintf("dropped %d tunnelled packets that came from no peer's address", *d)})
	}
	if line := changeLine(s.Change); line != "" {
		out = append(out, statusLine{"change", doubt, line})
	}
	if wide {
		out = append(out,
			statusLine{"revision", neutral, fmt.Sprint(s.Revision)},
			statusLine{"totals", neutral, countsLine(s.Counts)})
	}
	return out
}

func stateVerdict(s api.Status) verdict {
	if s.Ready && s.State == api.StateDegraded {
		return doubt
	}
	return goodIf(s.Ready)
}

func peersVerdict(peers []api.Peer) verdict {
	if len(peers) == 0 {
		return neutral
	}
	return goodIf(!slices.ContainsFunc(peers, func(p api.Peer) bool { return pathStyle(p, pathsOf(p)...) != plain }))
}

// pathStyle shows which paths of p a person should look at.
func pathStyle(p api.Peer, paths ...api.Path) style {
	switch {
	case slices.ContainsFunc(paths, func(path api.Path) bool { return path.Kind == pathNone || isLost(path) }):
		return red
	case p.Problem != "":
		return yellow
	}
	return plain
}

// draining names previous networks or subnets that are routed until their
// leases expire.
func draining(list []netip.Prefix) string {
	return fmt.Sprintf(" (%s draining)", lease.FormatSubnets(list))
}

func networkLine(s api.Status) string {
	if len(s.Network) == 0 {
		return "none yet"
	}
	line := lease.FormatSubnets(s.Network) + ", " + s.Backend
	if s.Direct {
		line += " with direct routing"
	}
	if len(s.Former) > 0 {
		line += draining(s.Former)
	}
	return line
}

// changeLine describes a change of backend in progress; "" if there is none.
func changeLine(c api.Change) string {
	if c.Done == c.Total && len(c.Former) == 0 {
		return ""
	}
	line := fmt.Sprintf("%d of %d hosts have switched", c.Done, c.Total)
	if len(c.Former) > 0 {
		line += "; still accepting " + strings.Join(c.Former, ", ") + " until all hosts have switched"
	}
	return line + behindText(c.Behind)
}

// mostBehind is how many hosts that have not switched are named in a line.
const mostBehind = 5

// behindText names the hosts that have not switched: "; not yet: h3 (host-gw)".
func behindText(hosts []api.Behind) string {
	var names []string
	for i, h := range hosts {
		if i == mostBehind {
			names = append(names, fmt.Sprintf("and %d more", len(hosts)-i))
			break
		}
		name := oneLine(h.Name)
		if name == "" {
			name = lease.FormatSubnets(h.Subnets)
		}
		names = append(names, fmt.Sprintf("%s (%s)", name, oneLine(orNone(h.Advertises))))
	}
	if len(names) == 0 {
		return ""
	}
	return "; not yet: " + strings.Join(names, ", ")
}

func uplinkLine(u api.Uplink) string {
	if u.Name == "" {
		return "none yet"
	}
	line := fmt.Sprintf("%s %s, mtu %d, chosen: %s", u.Name, addrs(u.Addrs), u.MTU, orNone(u.Reason))
	if n := len(u.Others); n > 0 {
		line += "; not chosen: " + strings.Join(u.Others[:min(n, maxOthers)], ", ")
		if n > maxOthers {
			line += fmt.Sprintf(" and %d more", n-maxOthers)
		}
	}
	return line
}

// maxOthers is how many addresses are named that were not chosen for the uplink.
const maxOthers = 3

func leaseLine(l api.Lease, now time.Time) string {
	if len(l.Subnets) == 0 {
		return "none yet"
	}
	line := fmt.Sprintf("%s, advertised as %s, mtu %d", lease.FormatSubnets(l.Subnets), addrs(l.Public), l.MTU)
	if l.Reserved {
		line += ", reserved"
	}
	if !l.Held {
		line += ", NOT HELD"
	}
	if !l.Expires.IsZero() {
		line += ", " + coarse(l.Expires.Sub(now)) + " left"
	}
	if len(l.Draining) > 0 {
		line += draining(l.Draining)
	}
	return line
}

func storeLine(s api.StoreState, now time.Time) string {
	if s.Up {
		return fmt.Sprintf("%s, connected %s", s.Kind, since(s.Since, now))
	}
	if strings.HasPrefix(s.Error, "waiting for ") {
		return fmt.Sprintf("%s, unreachable for %s", firstLine(s.Error), since(s.Since, now))
	}
	return fmt.Sprintf("%s, unreachable for %s: %s", s.Kind, since(s.Since, now), orNone(firstLine(s.Error)))
}

func passLine(p api.Pass, now time.Time) string {
	if p.At.IsZero() {
		return "not written yet"
	}
	line := fmt.Sprintf("%d objects, %d changed by the last pass %s ago in %s", p.Rows, p.Changed, since(p.At, now), p.Took.Round(time.Microsecond))
	if p.Failed > 0 {
		line += fmt.Sprintf(", %d FAILED", p.Failed)
	}
	return line
}

func countsLine(c api.Counts) string {
	done := 0
	for _, n := range c.Ops {
		done += n
	}
	return fmt.Sprintf("%d passes, %d operations, %d failed", c.Passes, done, c.Failures)
}

// peersLine counts the peers, and their paths by kind: "3 of 4 with a path: 1 direct, 2 vxlan".
func peersLine(peers []api.Peer) string {
	kinds, reached := map[string]int{}, 0
	for _, p := range peers {
		lacks := func(path api.Path) bool { return path.Kind == pathNone }
		paths := pathsOf(p)
		if slices.ContainsFunc(paths, lacks) || len(paths) == 0 {
			continue
		}
		reached++
		kinds[paths[0].Kind]++
	}
	if len(peers) == 0 {
		return "none"
	}
	line := fmt.Sprintf("%d of %d with a path", reached, len(peers))
	for i, kind := range slices.Sorted(maps.Keys(kinds)) {
		line += fmt.Sprintf("%s %d %s", [...]string{":", ","}[min(i, 1)], kinds[kind], kind)
	}
	return line
}

// nameProblems returns the problems with the names of hosts whose subnets they
// are about.
func nameProblems(s api.Status) []api.Problem {
	names := map[string]string{}
	for _, p := range s.Peers {
		names[lease.FormatSubnets(p.Subnets)] = p.Name
	}
	out := slices.Clone(s.Problems)
	for i := range out {
		if name := names[out[i].Subject]; name != "" {
			out[i].Subject += " (" + name + ")"
		}
	}
	return out
}

func showPeers(w io.Writer, peers []api.Peer, wide bool) {
	if len(peers) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := newTable(w, columnGap)
	if wide {
		t.header("HOST", "SUBNET", "PUBLIC", "BACKEND", "PATH", "REACH", "RTT", "MTU", "VIA", "DEVICE", "VERSION", "PROBLEM")
	} else {
		t.header("HOST", "SUBNET", "PUBLIC", "PATH", "REACH", "RTT")
	}
	for _, p := range peers {
		for _, path := range pathsOf(p) {
			t.add(pathStyle(p, path), peerCells(p, path, wide)...)
		}
		for _, path := range p.Others {
			if wide {
				path.Kind = "(" + path.Kind + ")"
				t.add(plain, peerCells(p, path, wide)...)
			}
		}
	}
	_ = t.flush() // an error of the terminal is ignored, as everywhere
}

// pathsOf is the peer's paths, one "none" for each subnet that has none.
func pathsOf(p api.Peer) []api.Path {
	if len(p.Paths) > 0 {
		return p.Paths
	}
	var out []api.Path
	for _, subnet := range p.Subnets {
		out = append(out, api.Path{Subnet: subnet, Kind: pathNone})
	}
	return out
}

// pathNone is the kind of path of a subnet that is not reached.
const pathNone = "none"

func peerCells(p api.Peer, path api.Path, wide bool) []string {
	public := publicFor(p.Public, path.Subnet)
	if !wide {
		kind := path.Kind
		if p.Problem != "" {
			kind += " (see problems)"
		}
		return []string{orNone(p.Name), path.Subnet.String(), public, kind, reachText(path), rttText(path)}
	}
	via := "-"
	if path.Via.IsValid() {
		via = path.Via.String()
	}
	return []string{
		orNone(p.Name), path.Subnet.String(), public, orNone(p.Backend), path.Kind, reachText(path), rttText(path), mtuText(path), via, orNone(path.Dev),
		orNone(p.Version), orNone(firstLine(p.Problem)),
	}
}

// publicFor is the peer's address of the subnet's family, else all it has.
func publicFor(public []netip.Addr, subnet netip.Prefix) string {
	for _, a := range public {
		if a.Is4() == subnet.Addr().Is4() {
			return a.String()
		}
	}
	return addrs(public)
}
