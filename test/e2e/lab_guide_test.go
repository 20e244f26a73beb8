package e2e

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/weft-net/weft/test/guide"
)

// TestLabGuide runs every command of the guide, in its order, with a runtime directory of its own: a
// user has one lab.
func TestLabGuide(t *testing.T) {
	const page = "../../docs/guides/lab.md"
	steps, err := guide.Steps(page)
	if err != nil {
		t.Fatal(err)
	}
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
	for _, s := range steps {
		ctx, cancel := context.WithTimeout(t.Context(), startLimit)
		err := s.Take(ctx, run)
		cancel()
		if err != nil {
			t.Fatalf("%s:%d:\n%s\n%v", page, s.Line, s.Text, err)
		}
	}
}
