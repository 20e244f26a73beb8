package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/store"
)

// proposal is a document that is to take the place of the one in a snapshot.
type proposal struct {
	snap store.Snapshot
	doc  []byte
	net  netconf.Network
}

// replacing stores configs, after it has told what each does.
type replacing struct {
	app    *app
	access access
	force  bool
	dryRun bool
	output string // of a dry run
}

func (r *replacing) flags(cmd *cobra.Command) {
	r.access.flags(cmd)
	fs := newFlagSet()
	r.add(fs)
	takeFlags(cmd, fs)
}

func (r *replacing) add(fs *flag.FlagSet) {
	fs.BoolVar(&r.force, "force", false, "store it even if hosts lose their path to others, and with unknown keys")
	fs.BoolVar(&r.dryRun, "dry-run", false, "print what would change, and store nothing")
}

// replace checks doc, tells what it changes and does, and stores it in place of
// snap's config, unless there is nothing to change or it is a dry run.
func (r *replacing) replace(cmd *cobra.Command, snap store.Snapshot, doc []byte) (netconf.Network, error) {
	net, warnings, err := reviewDocument(doc, snap.Config, r.force)
	if err != nil {
		return net, err
	}
	p, w := proposal{snap, doc, net}, cmd.OutOrStdout()
	warnings = append(warnings, underlaid(net, snap.Leases)...)
	if !forPeople(r.output) {
		return net, present(w, r.output, preflightOf(p, warnings, impactOf(p)), nil)
	}
	changes := compareDocuments(snap.Config, doc)
	if len(changes) == 0 && bytes.Equal(bytes.TrimSpace(snap.Config), bytes.TrimSpace(doc)) {
		fmt.Fprintln(w, "nothing to change")
		return net, nil
	}
	for _, text := range warnings {
		fmt.Fprintf(cmd.ErrOrStderr(), "weft: warning: %s\n", text)
	}
	for _, c := range changes {
		paintChange(w, c)
	}
	if len(changes) == 0 {
		fmt.Fprintln(w, "only the layout changed")
	}
	impact := impactOf(p)
	printImpact(w, impact)
	if r.dryRun {
		fmt.Fprintln(w, "nothing was stored: --dry-run")
		return net, nil
	}
	if err := r.consent(cmd, impact); err != nil {
		return net, err
	}
	err = r.access.with(cmd, true, func(ctx context.Context, st store.Store) error { return p.store(ctx, st) })
	if err == nil {
		err = conclude(w, p.summary())
	}
	return net, err
}

// consent returns nil if the change may be stored. A person is asked about all
// that running containers notice; elsewhere only what cuts hosts off is refused.
func (r *replacing) consent(cmd *cobra.Command, i plan.Impact) error {
	refused := withHint(fmt.Errorf("nothing was stored: %d hosts would lose their path to others", len(i.Cut)),
		"vxlan with DirectRouting sends directly where it can and crosses routers; --force stores the config all the same")
	switch {
	case r.force || i.Harmless():
		return nil
	case isTerminal(r.app.Stdin) && isTerminal(r.app.Stderr):
		fmt.Fprint(cmd.ErrOrStderr(), "Store it? [y/N] ")
		if answer, _ := readLine(r.app.Stdin); answer == "y" || answer == "yes" {
			return nil
		}
		return errors.New("nothing was stored")
	case len(i.Cut) > 0:
		return refused
	}
	return nil
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// readLine reads a line byte by byte, so that nothing behind it is taken, and
// returns it in lower case without spaces around it.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		n, err := r.Read(b)
		if n == 1 && b[0] == '\n' {
			return strings.ToLower(strings.TrimSpace(string(line))), nil
		}
		line = append(line, b[:n]...)
		if err != nil {
			return strings.ToLower(strings.TrimSpace(string(line))), err
		}
	}
}

// store stores the document if the config is still as it was read.
func (p proposal) store(ctx context.Context, st store.Store) error {
	err := st.SetConfig(ctx, p.doc, p.snap.ConfigRevision)
	if errors.Is(err, store.ErrConflict) {
		return withHint(fmt.Errorf("store the config: %w", err), "see the stored one with 'weft config get' and try again")
	}
	if err != nil {
		return fmt.Errorf("store the config: %w", err)
	}
	return nil
}

// summary is the text about a stored config: how many hosts will switch.
func (p proposal) summary() string {
	done, behind := plan.Stage(p.net, p.snap.Leases.Slice())
	if len(behind) == 0 {
		return "stored"
	}
	return fmt.Sprintf("stored; %d of %d hosts will switch to %s", len(behind), done+len(behind), p.net.Backend)
}
