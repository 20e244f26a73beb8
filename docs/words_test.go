package docs

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// avoided are phrases that have a usual term: object, repaired, conflicting or
// foreign route, unreachable, retrying, uses the last, is not a, unknown,
// unsupported, renewed, fixes, changed by, advertised as, connected, draining,
// has switched, ignored, masquerade, permanently, resync, delegates, rolls back.
var avoided = []string{
	// objects of the kernel
	"the row", "rows of type", "of rows", "its rows", "put right", "puts right", "putting right", "putting it right", "brought up to the plan", "changed from outside",
	"another's route", "ahead of the plan", "takes packets away", "take packets away", "meddled",
	// hosts, paths and changes
	"still open for", "announce what the config says", "announces what the config says", "while leases stand", "change over", "changes over",
	"out of reach", "trying on", "tries on", "goes on flowing", "announced at", "announces itself", "is on no prefix", "answering for",
	"by the only usable", "no interface fits", "was not named", "such that every",
	// leases and the store
	"looked after", "looks after", "looking after", "what runs in the former", "this host's own, and", "has lost its network config", "stays in force",
	"without end", "without a good-bye", "goes by the last", "goes by its copy", "stands still", "stand still", "comes back with it",
	// config, flags and errors
	"is no subnet", "is no backend", "is no address", "is no flag", "is no command", "does not speak", "weft does not know",
	"kept and has no effect", "mostly root", "says so already", "mends", "is mended", "flanneld's sake", "flannel's sake",
	"may stand several times", "that fits is taken", "certificates that may sign", "other people's", "is looked at this often",
	"even if it tells of no change", "give packets that leave", "hands its work on", "an agent a host", "shall",
}

// avoidedAny matches all of them. Between two words there may be an end of a
// line with the beginning of a comment.
var avoidedAny = func() *regexp.Regexp {
	var words []string
	for _, phrase := range avoided {
		words = append(words, strings.ReplaceAll(regexp.QuoteMeta(phrase), " ", `\s+(?:[#;]\s*)?`))
	}
	return regexp.MustCompile(`(?i)\b(?:` + strings.Join(words, "|") + `)\b`)
}()

// TestTextsUseTheUsualTerms looks for avoided phrases in what users read: texts
// in the programs, guides, what is packaged, and the scripts of the tests.
func TestTextsUseTheUsualTerms(t *testing.T) {
	read := 0
	for _, path := range userTexts(t) {
		data, err := os.ReadFile(filepath.Join("..", path))
		if err != nil {
			t.Fatal(err)
		}
		read++
		texts := [][]byte{data}
		if filepath.Ext(path) == ".go" {
			texts = stringLiterals(t, path, data)
		}
		for _, text := range texts {
			for _, phrase := range avoidedAny.FindAll(text, -1) {
				t.Errorf("%s: %q: use the usual term instead", path, phrase)
			}
		}
	}
	if read < 200 {
		t.Errorf("only %d files were read", read)
	}
}

// userTexts lists the files with texts that users read, by path from the
// repository's root.
func userTexts(t *testing.T) []string {
	t.Helper()
	out := []string{"README.md", "Makefile"}
	for _, dir := range []string{"cmd", "internal", "bench", "docs/guides", "docs/reference", "packaging", "test/e2e/testdata"} {
		err := fs.WalkDir(os.DirFS(".."), dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			if !slices.Contains([]string{"bench", "cmd", "internal"}, dir) || filepath.Ext(path) == ".go" {
				out = append(out, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// stringLiterals returns the strings in a Go file, those that are joined by +
// as one.
func stringLiterals(t *testing.T, path string, data []byte) [][]byte {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, data, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if text, ok := joined(n); ok {
				out = append(out, []byte(text))
				return false
			}
		case *ast.BasicLit:
			if text, ok := joined(n); ok {
				out = append(out, []byte(text))
			}
		}
		return true
	})
	return out
}

// joined returns the text of a string, or of strings joined by +.
func joined(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, leftOK := joined(e.X)
		right, rightOK := joined(e.Y)
		return left + right, e.Op == token.ADD && leftOK && rightOK
	}
	return "", false
}

func TestAvoidedPhrasesAreFound(t *testing.T) {
	source := []byte("package x\n\n// A comment is no text: put right.\nvar a = \"it is put \" +\n\t\"right\"\nvar b = f(\"x is no\\nsubnet\")\n")
	texts := bytes.Join(stringLiterals(t, "x.go", source), []byte("|"))
	var found []string
	for _, phrase := range avoidedAny.FindAll(texts, -1) {
		found = append(found, string(phrase))
	}
	if want := []string{"put right", "is no\nsubnet"}; !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
}
