package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/page"
)

// viewer holds the flags of the commands that serve the page.
type viewer struct {
	port   int
	noOpen bool
}

func (v *viewer) add(cmd *cobra.Command) {
	cmd.Flags().Var(newValue(&v.port, "port", "0", parseInt(0, 65535, "")), "port", "port of the loopback address; 0: any that is free")
	cmd.Flags().BoolVar(&v.noOpen, "no-open", false, "print the address, and open no browser")
}

func newUICommand(a *app) *cobra.Command {
	var x access
	var v viewer
	cmd := &cobra.Command{
		Use:   "ui",
		Short: "Show the fabric as a picture in a browser",
		Long: `Serve a page that shows the fabric live: hosts by segment, paths that are lost or
slow, what happened when and who did it, a packet's way, the plan against the
kernel, and what a change of the config would do. It shows what the agent of this
host knows; nothing can be changed on it.

The page is served on the loopback address alone, until this command is
interrupted. The address that is printed lets one browser in, once. From another
machine, forward the port:

  ssh -L 8000:127.0.0.1:8000 HOST sudo weft ui --port=8000

The config and its preflight come from the store that the flags choose, as with
'weft config get'.`,
		Example: `  sudo weft ui
  sudo weft ui --port=8000 --no-open`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			source := localSource(a.Process, x.runDir, accessArgs(cmd))
			return v.serve(cmd, source, a.Process)
		},
	}
	fs := newFlagSet()
	addStoreFlags(fs, &x.storeSettings)
	addKubeStoreFlags(fs, &x.kubeSettings)
	addDirFlags(fs, &x.dirSettings)
	takeFlags(cmd, fs)
	v.add(cmd)
	return cmd
}

// serve serves a page until the command is interrupted.
func (v *viewer) serve(cmd *cobra.Command, source page.Source, p Process) error {
	if _, err := source.Agents(cmd.Context()); err != nil {
		return err // said here rather than on the page
	}
	server, err := page.Listen(v.port, source)
	if err != nil {
		return withHint(err, "choose another one with --port")
	}
	url := server.URL()
	w := cmd.OutOrStdout()
	fmt.Fprintf(w, "The page is at\n\n  %s\n\nThis link opens it once, in one browser. Ctrl-C ends it.\n", url)
	group, ctx := errgroup.WithContext(cmd.Context())
	group.Go(func() error { return server.Serve(ctx) })
	if !v.noOpen {
		group.Go(func() error { openBrowser(ctx, url, p); return nil })
	}
	return group.Wait()
}

// openBrowser opens the page where there is a desktop. Its address has a token,
// which must not stand in a command line, where others could read it: the browser
// is given a file that leads there.
func openBrowser(ctx context.Context, url string, p Process) {
	given := func(name string) bool { value, ok := p.Env(name); return ok && value != "" }
	opener, err := exec.LookPath("xdg-open")
	if err != nil || os.Getuid() == 0 || !isTerminal(p.Stdout) || !given("DISPLAY") && !given("WAYLAND_DISPLAY") {
		return
	}
	dir, _ := p.Env("XDG_RUNTIME_DIR")
	f, err := os.CreateTemp(dir, "weft-ui-*.html") // mode 0600
	if err != nil {
		return // the address was printed
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintf(f, `<!doctype html><meta http-equiv="refresh" content="0;url=%s"><title>weft</title>`, url)
	if errors.Join(err, f.Close()) != nil {
		return
	}
	_ = exec.CommandContext(ctx, opener, f.Name()).Run()
	<-ctx.Done() // the file is there until the browser has surely read it
}

// localSource is the agent of a run directory with the agents of other hosts that
// answer it, and the commands of this program with args, which say where the store
// and the directories are.
func localSource(p Process, runDir string, args []string) page.Source {
	own, others := &ownAgent{runDir: runDir}, newPeerAnswers()
	own.seen = others.update
	return page.Source{
		Agents: func(ctx context.Context) ([]page.Agent, error) {
			if err := own.dial(ctx); err != nil {
				return nil, err
			}
			return append([]page.Agent{{Host: hostname(), Asker: own}}, others.agents()...), nil
		},
		Run: func(ctx context.Context, _ string, stdin []byte, command ...string) (page.Output, error) {
			return runInProcess(ctx, p, stdin, insertArgs(command, args)), nil
		},
		Background: others.run,
	}
}

// ownAgent is the agent of a run directory. The connection is made anew by itself
// when the agent was restarted.
type ownAgent struct {
	runDir string
	seen   func(*api.Status) // is called with each answer

	mu     sync.Mutex
	client *api.Client // nil: not connected yet
}

func (a *ownAgent) dial(ctx context.Context) (err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.client == nil {
		a.client, err = api.DialDir(ctx, a.runDir)
	}
	return err
}

// Status implements page.Asker.
func (a *ownAgent) Status(ctx context.Context) (api.Status, error) {
	s, err := a.client.Status(ctx)
	if err == nil {
		a.seen(&s)
	}
	return s, err
}

// Events implements page.Asker.
func (a *ownAgent) Events(ctx context.Context, after int64) ([]api.Event, error) {
	return a.client.Events(ctx, after)
}

// runInProcess runs a command of weft as a part of this process.
func runInProcess(ctx context.Context, p Process, stdin []byte, args []string) page.Output {
	var stdout, stderr strings.Builder
	p.Args = append([]string{"weft"}, args...)
	p.Stdin, p.Stdout, p.Stderr = strings.NewReader(string(stdin)), &stdout, &stderr
	code := Main(ctx, p)
	return page.Output{Stdout: []byte(stdout.String()), Stderr: []byte(stderr.String()), Code: code}
}

// accessArgs returns the flags that the command was given, or has from the
// environment, and that say where the agent and the store are.
func accessArgs(cmd *cobra.Command) []string {
	var out []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if len(f.Annotations[fromEnv]) > 0 && (f.Changed || f.Name == "run-dir" || f.Name == "state-dir") {
			out = append(out, "--"+f.Name+"="+f.Value.String())
		}
	})
	return out
}

// insertArgs puts flags between the words of a command and its own flags.
func insertArgs(command, flags []string) []string {
	at := max(0, slices.IndexFunc(command, func(word string) bool { return strings.HasPrefix(word, "-") }))
	return slices.Insert(slices.Clone(command), at, flags...)
}
