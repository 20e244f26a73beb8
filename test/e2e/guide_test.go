package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/lab"
)

// The guide in both languages.
var guidePages = []string{"../../docs/guides/docker.md", "../../docs/guides/docker.zh-CN.md"}

// block is a fenced block of a page: what follows the fence, and the lines within.
type block struct {
	line int // where it begins, for messages
	info string
	text string
}

// step is a block of commands for some machines and what the guide says they print.
type step struct {
	block
	machines []string
	again    bool // run it until it prints that: it looks at something that is still on its way
	prints   []string
}

// TestDockerGuide runs every command of the guide, in its order, on the machines that it is about.
// A fence says on which: "sh HOST...", or "sh HOST... again"; the fence "text" after it is the output, in
// which "..." stands for anything, and lines may be left out.
func TestDockerGuide(t *testing.T) {
	blocks := pageBlocks(t, guidePages[0])
	steps := guideSteps(t, blocks)
	machines := startMachines(t)
	for _, s := range steps {
		for _, name := range s.machines {
			m := machines[name]
			if m == nil {
				t.Fatalf("line %d: there is no machine %q", s.line, name)
			}
			if err := m.take(t.Context(), s); err != nil {
				t.Fatalf("%s:%d, on %s:\n%s\n%v", guidePages[0], s.line, name, s.text, err)
			}
		}
	}
}

func TestGuideIsTheSameInBothLanguages(t *testing.T) {
	english, chinese := pageBlocks(t, guidePages[0]), pageBlocks(t, guidePages[1])
	for i := range min(len(english), len(chinese)) {
		if e, c := english[i], chinese[i]; e.info != c.info || e.text != c.text {
			t.Fatalf("the block at line %d of %s is not that at line %d of %s", e.line, guidePages[0], c.line, guidePages[1])
		}
	}
	if len(english) != len(chinese) || len(english) < 10 {
		t.Errorf("%d blocks in English, %d in Chinese", len(english), len(chinese))
	}
}

// take runs a step on the machine.
func (m *machine) take(ctx context.Context, s step) error {
	if strings.Contains(s.text, "docker run") {
		if err := m.pull(ctx); err != nil {
			return err
		}
	}
	return s.take(ctx, m.run)
}

// take runs a step by run and holds what it prints against the guide.
func (s step) take(ctx context.Context, run func(context.Context, ...string) (string, error)) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	var err error
	for {
		out, now := run(ctx, "sh", "-e", "-c", s.text)
		if now == nil {
			now = printed(out, s.prints)
		}
		switch {
		case now == nil:
			return nil
		case err == nil || ctx.Err() == nil: // else it was cut short, and says less than the last
			err = fmt.Errorf("%w; it printed:\n%s", now, out)
		}
		if !s.again {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

// pull stands in for the registry: it gives the machine's Docker the image that the guide uses.
func (m *machine) pull(ctx context.Context) error {
	if _, err := m.run(ctx, "docker", "image", "inspect", "busybox"); err == nil {
		return nil
	}
	out, err := m.run(ctx, "sh", "-c", lab.ImportScript, "import", "busybox")
	if err != nil {
		return fmt.Errorf("import the image: %w\n%s", err, out)
	}
	return nil
}

// printed says which of the expected lines is missing in out, where they must come in their order.
func printed(out string, want []string) error {
	lines := strings.Split(out, "\n")
	for _, expected := range want {
		pattern := linePattern(expected)
		i := slices.IndexFunc(lines, func(line string) bool { return pattern.MatchString(squeeze(line)) })
		if i < 0 {
			return fmt.Errorf("the guide says that this comes, here: %s", expected)
		}
		lines = lines[i+1:]
	}
	return nil
}

func linePattern(line string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(squeeze(line)), `\.\.\.`, ".*") + "$")
}

// squeeze makes columns comparable: one blank between words.
func squeeze(line string) string { return strings.Join(strings.Fields(line), " ") }

func guideSteps(t *testing.T, blocks []block) []step {
	t.Helper()
	var steps []step
	for _, b := range blocks {
		words := strings.Fields(b.info)
		switch {
		case len(words) >= 2 && words[0] == "sh":
			hosts := slices.DeleteFunc(words[1:], func(w string) bool { return w == "again" })
			steps = append(steps, step{block: b, machines: hosts, again: len(hosts) < len(words)-1})
		case b.info == "text" && len(steps) > 0 && steps[len(steps)-1].prints == nil:
			for line := range strings.Lines(b.text) {
				if squeeze(line) != "..." && squeeze(line) != "" {
					steps[len(steps)-1].prints = append(steps[len(steps)-1].prints, strings.TrimSpace(line))
				}
			}
		default:
			t.Fatalf("line %d: the block %q is neither commands for a machine nor what they print", b.line, b.info)
		}
	}
	if len(steps) < 10 {
		t.Fatalf("only %d blocks of commands were found", len(steps))
	}
	return steps
}

func pageBlocks(t *testing.T, page string) []block {
	t.Helper()
	content, err := os.ReadFile(filepath.FromSlash(page))
	if err != nil {
		t.Fatal(err)
	}
	var out []block
	var current *block
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		info, fence := strings.CutPrefix(strings.TrimRight(line, "\n"), "```")
		switch {
		case fence && current == nil:
			current = &block{line: number, info: info}
		case fence:
			out = append(out, *current)
			current = nil
		case current != nil:
			current.text += line
		}
	}
	if current != nil {
		t.Fatalf("%s: the block of line %d has no end", page, current.line)
	}
	return out
}

// startMachines builds the guide's lab and starts the etcd that the guide takes for granted.
func startMachines(t *testing.T) map[string]*machine {
	t.Helper()
	l, err := lab.New(guideTopology(), lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	tls := issueCertificates(t, l)
	machines := map[string]*machine{}
	for _, name := range l.HostNames() {
		h, err := l.Host(name)
		if err != nil {
			t.Fatal(err)
		}
		machines[name] = startMachine(t, h, tls)
	}
	for _, name := range []string{"h12", "h21", "h22"} {
		script, err := filepath.Abs(filepath.Join("guide", "etcd.sh"))
		if err != nil {
			t.Fatal(err)
		}
		if out, err := machines[name].run(t.Context(), "sh", script); err != nil {
			t.Fatalf("start etcd on %s: %v\n%s", name, err, out)
		}
	}
	return machines
}
