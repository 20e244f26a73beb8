package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/test/guide"
)

// The guide in both languages.
var guidePages = []string{"../../docs/guides/docker.md", "../../docs/guides/docker.zh-CN.md"}

// TestDockerGuide runs every command of the guide, in its order, on the machines that it is about.
func TestDockerGuide(t *testing.T) {
	steps, err := guide.Steps(guidePages[0])
	if err != nil {
		t.Fatal(err)
	}
	machines := startMachines(t)
	for _, s := range steps {
		for _, name := range s.Machines {
			m := machines[name]
			if m == nil {
				t.Fatalf("line %d: there is no machine %q", s.Line, name)
			}
			if err := m.take(t.Context(), s); err != nil {
				t.Fatalf("%s:%d, on %s:\n%s\n%v", guidePages[0], s.Line, name, s.Text, err)
			}
		}
	}
}

func TestGuideIsTheSameInBothLanguages(t *testing.T) {
	english, chinese := pageBlocks(t, guidePages[0]), pageBlocks(t, guidePages[1])
	for i := range min(len(english), len(chinese)) {
		if e, c := english[i], chinese[i]; e.Info != c.Info || e.Text != c.Text {
			t.Fatalf("the block at line %d of %s is not that at line %d of %s", e.Line, guidePages[0], c.Line, guidePages[1])
		}
	}
	if len(english) != len(chinese) || len(english) < 10 {
		t.Errorf("%d blocks in English, %d in Chinese", len(english), len(chinese))
	}
}

// take runs a step on the machine.
func (m *machine) take(ctx context.Context, s guide.Step) error {
	if strings.Contains(s.Text, "docker run") {
		if err := m.pull(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return s.Take(ctx, m.run)
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

func pageBlocks(t *testing.T, page string) []guide.Block {
	t.Helper()
	blocks, err := guide.Blocks(page)
	if err != nil {
		t.Fatal(err)
	}
	return blocks
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
