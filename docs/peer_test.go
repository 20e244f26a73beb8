package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	peerCase = regexp.MustCompile("`([A-Za-z0-9_.]+)`")
	goTest   = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
)

// TestPeerCasesAreTested demands of each row of test/peer's table that its last
// column names tests that exist, and that each script there has a row.
func TestPeerCasesAreTested(t *testing.T) {
	text, err := os.ReadFile("../test/peer/README.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := goTests(t)
	named := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|--") || len(cells) != 3 || strings.Contains(cells[2], "asked by") {
			continue
		}
		names := peerCase.FindAllStringSubmatch(cells[2], -1)
		if len(names) == 0 {
			t.Errorf("no test backs %q", cells[1])
		}
		for _, name := range names {
			named[name[1]] = true
			if !tests[name[1]] && !script(name[1]) {
				t.Errorf("%q: there is no %s", cells[1], name[1])
			}
		}
	}
	scripts, err := filepath.Glob("../test/peer/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range scripts {
		if !named[filepath.Base(file)] {
			t.Errorf("%s has no row", file)
		}
	}
}

// script reports whether there is a script of that name.
func script(name string) bool {
	file := "../test/e2e/testdata/" + name + ".txtar"
	if strings.HasSuffix(name, ".txtar") {
		file = "../test/peer/" + name
	}
	_, err := os.Stat(file)
	return err == nil
}

// goTests returns the tests of packages below internal, as package.Test.
func goTests(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, pattern := range []string{"../internal/*/*_test.go", "../internal/*/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range goTest.FindAllStringSubmatch(string(text), -1) {
				out[filepath.Base(filepath.Dir(file))+"."+m[1]] = true
			}
		}
	}
	return out
}
