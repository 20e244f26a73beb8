// Package docs is weft's documentation. It holds no code, only the test that
// what the pages point to is there.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages returns all pages of the repository, by path from its root.
func pages(t *testing.T) []string {
	t.Helper()
	out := []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}
	for _, dir := range []string{"docs", "bench"} {
		err := fs.WalkDir(os.DirFS(".."), dir, func(path string, _ fs.DirEntry, err error) error {
			if filepath.Ext(path) == ".md" {
				out = append(out, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

var link = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	found := 0
	for _, page := range pages(t) {
		text, err := os.ReadFile(filepath.Join("..", page))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			if target := match[1]; !strings.Contains(target, "://") {
				found++
				if why := missing(page, target); why != "" {
					t.Errorf("%s links to %s: %s", page, target, why)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d links were found", found)
	}
}

// missing says what is wrong with a link from page, "" if nothing is.
func missing(page, target string) string {
	file, anchor, _ := strings.Cut(target, "#")
	path := filepath.Join("..", filepath.Dir(page), filepath.FromSlash(file))
	if file == "" {
		path = filepath.Join("..", page)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		if info, statErr := os.Stat(path); statErr == nil && info.IsDir() && anchor == "" {
			return ""
		}
		return "there is no such file"
	}
	if anchor == "" || hasHeading(string(text), anchor) {
		return ""
	}
	return "there is no such heading"
}

var notInAnchors = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// hasHeading reports whether a heading of the page has the anchor, made as
// GitHub makes them.
func hasHeading(text, anchor string) bool {
	for line := range strings.Lines(text) {
		title := strings.TrimLeft(line, "#")
		if title == line {
			continue
		}
		slug := notInAnchors.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
		if strings.ReplaceAll(slug, " ", "-") == anchor {
			return true
		}
	}
	return false
}

func TestMissingLinksAreFound(t *testing.T) {
	for target, want := range map[string]string{
		"docs/ARCHITECTURE.md":         "",
		"docs/ARCHITECTURE.md#words":   "",
		"docs":                         "",
		"docs/nowhere.md":              "there is no such file",
		"docs/ARCHITECTURE.md#nowhere": "there is no such heading",
	} {
		if got := missing("README.md", target); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}
