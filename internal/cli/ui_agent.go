package cli

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/weft-net/weft/internal/page"
	"github.com/weft-net/weft/internal/recordfile"
)

// linkFile is the file in the run directory with the address of the agent's page.
const linkFile = "ui-link"

// runWithPage runs an agent with the page beside it. A page that cannot be served
// costs the page alone.
func runWithPage(ctx context.Context, s *settings, p Process, log *slog.Logger, run func(context.Context) error) error {
	server, err := page.Listen(s.uiPort, agentSource(s, p))
	if err != nil {
		return withHint(err, "choose another one with --ui-port")
	}
	file := filepath.Join(s.runDir, linkFile)
	write := func() {
		if err := writeLink(file, server.URL()); err != nil {
			log.Warn("the link to the page cannot be written", "error", err)
		}
	}
	server.OnEntry(write) // the link is worth nothing once it was used
	write()
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() {
		if err := server.Serve(ctx); err != nil {
			log.Error("the page is served no more", "error", err)
		}
	})
	err = run(ctx)
	cancel()
	beside.Wait()
	if removal := os.Remove(file); removal != nil && !errors.Is(removal, fs.ErrNotExist) {
		log.Debug("the link to the page stays", "error", removal)
	}
	return err
}

func writeLink(file, url string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return recordfile.Replace(file, []byte(url+"\n"))
}

// agentSource is the agent of this process itself, asked like any other. Its
// commands start no program, as the agent does not.
func agentSource(s *settings, p Process) page.Source {
	args := []string{"--run-dir=" + s.runDir, "--state-dir=" + s.stateDir}
	p.alone = true
	return localSource(p, s.runDir, args)
}
