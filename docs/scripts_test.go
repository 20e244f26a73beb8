package docs

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var scriptName = regexp.MustCompile("`([a-z0-9_]+)`")

// TestOperationsAreBackedByScripts demands of each row of the guide that the last column names scripts that
// exist.
func TestOperationsAreBackedByScripts(t *testing.T) {
	text, err := os.ReadFile("guides/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|--") || len(cells) != 4 || strings.TrimSpace(cells[3]) == "script" {
			continue
		}
		rows++
		names := scriptName.FindAllStringSubmatch(cells[3], -1)
		if len(names) == 0 {
			t.Errorf("no script backs %q", cells[0])
		}
		for _, name := range names {
			if _, err := os.Stat("../test/e2e/testdata/" + name[1] + ".txtar"); err != nil {
				t.Errorf("%q: %v", cells[0], err)
			}
		}
	}
	if rows < 20 {
		t.Errorf("only %d rows were found", rows)
	}
}
