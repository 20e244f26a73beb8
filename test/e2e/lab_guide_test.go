package e2e

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/weft-net/weft/test/guide"
)

// TestLabGuide runs every command of the guide, in its order.
func TestLabGuide(t *testing.T) {
	const page = "../../docs/guides/lab.md"
	steps, err := guide.Steps(page)
	if err != nil {
		t.Fatal(err)
	}
	run := besideLab(t)
	for _, s := range steps {
		ctx, cancel := context.WithTimeout(t.Context(), startLimit)
		err := s.Take(ctx, run)
		cancel()
		if err != nil {
			t.Fatalf("%s:%d:\n%s\n%v", page, s.Line, s.Text, err)
		}
	}
}

// runnable are the commands of guides that can be run on any host with an agent.
var runnable = []string{"weft config set ", "weft config validate ", "weft wait ", "weft status", "weft plan "}

// TestGuideCommandsSucceed runs what is runnable in guides that tell no story, on a host of the lab.
func TestGuideCommandsSucceed(t *testing.T) {
	run := besideLab(t)
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	if out, err := run(ctx, "weft", "lab", "up"); err != nil {
		t.Fatalf("weft lab up: %v\n%s", err, out)
	}
	found := 0
	for _, page := range []string{"upgrade", "sizing", "backends", "monitoring", "mtu"} {
		text, err := os.ReadFile("../../docs/guides/" + page + ".md")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			command := strings.TrimSpace(line)
			begins := func(start string) bool { return strings.HasPrefix(command, start) }
			if !strings.HasPrefix(line, "    ") || !slices.ContainsFunc(runnable, begins) {
				continue
			}
			found++
			if out, err := run(ctx, "weft", "lab", "exec", "h1", "--", "sh", "-c", command); err != nil {
				t.Errorf("%s.md: %s: %v\n%s", page, command, err, out)
			}
		}
	}
	if found < 8 {
		t.Errorf("only %d commands were found", found)
	}
}

// besideLab returns what runs programs with a runtime directory of its own, since a user has one
// lab; that lab ends with the test.
func besideLab(t *testing.T) guide.Run {
	t.Helper()
	dir := t.TempDir()
	run := func(ctx context.Context, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir, "TMPDIR="+dir)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	t.Cleanup(func() {
		if out, err := run(context.Background(), "weft", "lab", "down"); err != nil {
			t.Errorf("weft lab down: %v\n%s", err, out)
		}
	})
	return run
}
