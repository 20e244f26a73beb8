package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestArchitectureNamesEveryPackage looks for each package below internal in
// the table of packages.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n## Packages\n")
	table, _, _ = strings.Cut(table, "\n## ")
	root := filepath.Join("..", "internal")
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || path == root {
			return err
		}
		sources, err := filepath.Glob(filepath.Join(path, "*.go"))
		name := strings.TrimPrefix(filepath.ToSlash(path), "../internal/")
		if len(sources) > 0 && !strings.Contains(table, "`internal/"+name+"`") && !strings.Contains(table, "`"+name+"`") {
			t.Errorf("ARCHITECTURE.md: the table of packages lacks internal/%s", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
