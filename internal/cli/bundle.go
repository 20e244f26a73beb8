package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/bundle"
	"github.com/weft-net/weft/internal/check"
	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/wgkey"
)

// bundler holds the bundle command's flags, and what it has gathered.
type bundler struct {
	checker
	parts   []bundle.Part
	missing []string
}

func newBundleCommand(a *app) *cobra.Command {
	b := bundler{checker: newChecker(a), missing: []string{}}
	cmd := &cobra.Command{
		Use:   "bundle [FILE]",
		Short: "Write all that a bug report needs into one file",
		Long: `Write all that a bug report needs into one .tar.gz: status, plan, drift, events,
checks, the kernel's devices, addresses, routes, rules, neighbours, forwarding
entries, firewall and parameters, the network config and versions. What cannot be
had, as without an agent, is listed in manifest.json and printed.

Passwords, keys, tokens and the environment are not in it. Addresses and host names
are, and the rules of all firewalls of the host: look at it before you publish it.

'weft explain --bundle FILE SRC DST' follows a packet through the host that the file
is of.`,
		Example: "  weft bundle\n  weft bundle /tmp/h1.tar.gz\n  weft explain --bundle /tmp/h1.tar.gz 10.42.61.2 10.42.7.9",
		Args:    atMostOneFile,
		RunE:    func(cmd *cobra.Command, args []string) error { return b.run(cmd, args) },
	}
	fs := newFlagSet()
	b.addPlanFlags(fs)
	takeFlags(cmd, fs)
	return cmd
}

func atMostOneFile(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return &usageError{fmt.Errorf("'%s' takes one file, not %d arguments", cmd.CommandPath(), len(args)), ""}
	}
	return nil
}

func (b *bundler) run(cmd *cobra.Command, args []string) error {
	ctx, cancel := b.context(cmd)
	defer cancel()
	now := time.Now().UTC().Truncate(time.Second)
	name := "weft-" + orNone(hostname()) + "-" + now.Format("20060102-150405")
	file := name + ".tar.gz"
	if len(args) == 1 {
		file = args[0]
	}
	k, err := openKernel(slog.New(slog.DiscardHandler), b.dirSettings, wgkey.Look(b.stateDir))
	if err != nil {
		return err
	}
	defer k.Close()
	err = waiting(cmd.ErrOrStderr(), "agent, kernel and store", func() error { return b.gatherParts(ctx, cmd, k, now) })
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := bundle.Write(&out, name, now, b.parts); err != nil {
		return err
	}
	if err := renameio.WriteFile(file, out.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	for _, m := range b.missing {
		fmt.Fprintf(cmd.ErrOrStderr(), "weft: missing: %s\n", indented(m))
	}
	return conclude(cmd.OutOrStdout(), fmt.Sprintf("wrote %s (%d files)", oneLine(file), len(b.parts)))
}

// gatherParts collects everything; only a kernel that cannot be read is an error.
func (b *bundler) gatherParts(ctx context.Context, cmd *cobra.Command, k *kernel.Kernel, now time.Time) error {
	f, err := b.checkFacts(ctx, cmd, k, false)
	if err != nil {
		return err
	}
	b.add(bundle.KernelName, f.Kernel)
	for _, s := range f.Kernel.Sections() {
		var text bytes.Buffer
		_ = s.Write(&text) // a buffer takes everything
		b.put("kernel/"+s.Name+".txt", text.Bytes())
	}
	b.add(bundle.StatusName, statusDocument{newHeader("Status"), f.Status})
	b.add("version.json", versionDocument{newHeader("Version"), readBuild(b.given)})
	b.add("check.json", checkOf(check.Run(f)))
	b.put("diff.txt", []byte(strings.Join(append(f.Drift, ""), "\n")))
	b.plan(f)
	b.lack("firewall", f.Kernel.Firewall.Absent)
	if !f.Agent {
		b.lack("the agent's state and events", f.AgentErr)
	}
	b.events(ctx)
	b.config(ctx, cmd)
	b.file("subnet.env", b.up.subnetFile)
	b.add(bundle.ManifestName, bundle.Manifest{
		APIVersion: documentVersion, Kind: "Bundle", Version: f.Version, Host: hostname(), Made: now, Agent: f.Agent, Missing: b.missing,
	})
	return nil
}

// put adds a text without secrets.
func (b *bundler) put(name string, data []byte) {
	b.parts = append(b.parts, bundle.Part{Name: name, Data: bundle.Redact(data, b.password)})
}

// add adds a document.
func (b *bundler) add(name string, doc any) {
	data, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		b.lack(name, err.Error())
		return
	}
	b.put(name, append(data, '\n'))
}

// lack notes what is missing, if there is a reason.
func (b *bundler) lack(what, why string) {
	if why != "" {
		b.missing = append(b.missing, string(bundle.Redact([]byte(what+": "+firstLine(why)), b.password)))
	}
}

func (b *bundler) plan(f check.Facts) {
	b.lack("plan", f.PlanErr)
	if f.Plan != nil {
		var text bytes.Buffer
		_ = netstate.Format(&text, f.Plan) // a buffer takes everything
		b.put(bundle.PlanName, text.Bytes())
	}
}

func (b *bundler) events(ctx context.Context) {
	client, err := running(ctx, b.runDir)
	if err != nil || client == nil {
		return // said already
	}
	defer client.Close()
	var events []api.Event
	if events, err = client.Events(ctx, 0); err != nil {
		b.lack("events", err.Error())
		return
	}
	b.add("events.json", events)
}

func (b *bundler) config(ctx context.Context, cmd *cobra.Command) {
	limited := b.access
	limited.timeout = b.timeout / 3
	err := limited.silently(cmd, false, func(ctx context.Context, st store.Store) error {
		snap, err := st.Snapshot(ctx)
		if err == nil && snap.Config == nil {
			return errors.New("the store has none")
		}
		if err == nil {
			b.put("config.json", snap.Config)
		}
		return err
	})
	if err != nil {
		b.lack("network config", err.Error())
	}
}

func (b *bundler) file(name, path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		b.lack(name, err.Error())
		return
	}
	b.put(name, data)
}
