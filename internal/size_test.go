package internal

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mostOfAgent and mostOfFile are in lines. The agent is wiring: what makes it
// longer has a package of its own to go to.
const (
	mostOfAgent = 600
	mostOfFile  = 300
)

func TestTheMiddleStaysSmall(t *testing.T) {
	total := 0
	for _, dir := range []string{"agent", "intent"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines := bytes.Count(text, []byte("\n"))
			if lines > mostOfFile {
				t.Errorf("internal/%s has %d lines; at most %d are permitted", file, lines, mostOfFile)
			}
			if dir == "agent" {
				total += lines
			}
		}
	}
	if total >= mostOfAgent {
		t.Errorf("internal/agent has %d lines; fewer than %d are permitted", total, mostOfAgent)
	}
}
