package hosts

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// backend names a backend with its settings, as trials and expectations do.
type backend string

const (
	vxlan  backend = "vxlan"
	direct backend = "direct" // vxlan with DirectRouting
	hostGW backend = "host-gw"
)

var backends = []backend{vxlan, direct, hostGW}

// json is the backend's part of the network config.
func (b backend) json() string {
	switch b {
	case direct:
		return `{"Type": "vxlan", "DirectRouting": true}`
	default:
		return fmt.Sprintf(`{"Type": %q}`, string(b))
	}
}

// configuration is how hosts are set up: one file of testdata.
type configuration struct {
	name    string
	about   string            // the file's comment
	scripts map[string]string // "h1", "all.event": for sh, by the host's name and the occasion
	files   []txtar.File      // others, which the scripts find in $files
	expect  []expectation
}

// expectation is a line of the file expect. See README.md.
type expectation struct {
	line    string
	verb    string
	backend string   // "" or "*": any
	args    []string // what follows
	pattern *regexp.Regexp
}

// appliesTo tells whether the expectation holds while b is in force.
func (e expectation) appliesTo(b backend) bool {
	return e.backend == "*" || e.backend == string(b)
}

// verbs are the kinds of expectations: how many words follow, -1 for any number, and whether a pattern does.
var verbs = map[string]struct {
	backend bool
	words   int
	pattern bool
}{
	"family":  {words: 1},
	"flags":   {words: -1},
	"uplink":  {words: 1, pattern: true},
	"path":    {backend: true, words: 4},
	"problem": {backend: true, words: 1, pattern: true},
	"differs": {words: 1, pattern: true},
}

// table reads all configurations.
func table(t *testing.T) []configuration {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no configurations: %v", err)
	}
	var out []configuration
	for _, path := range paths {
		c, err := read(path)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out = append(out, c)
	}
	return out
}

func read(path string) (configuration, error) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		return configuration{}, err
	}
	c := configuration{
		name:    strings.TrimSuffix(filepath.Base(path), ".txtar"),
		about:   strings.TrimSpace(string(archive.Comment)),
		scripts: map[string]string{},
	}
	for _, f := range archive.Files {
		switch {
		case f.Name == "expect":
			c.expect, err = parseExpect(string(f.Data))
		case scriptName.MatchString(f.Name):
			c.scripts[strings.TrimSuffix(f.Name, ".sh")] = string(f.Data)
		default:
			c.files = append(c.files, f)
		}
		if err != nil {
			return configuration{}, err
		}
	}
	switch {
	case c.about == "":
		return configuration{}, fmt.Errorf("no description")
	case len(c.scripts) == 0:
		return configuration{}, fmt.Errorf("no script")
	}
	return c, c.check()
}

// scriptName matches the scripts: of a host, of all of them, or of the router; for the set-up, for an event, or
// for taking back what the event did.
var scriptName = regexp.MustCompile(`^(all|h1|h2|h3|router)(\.event|\.undo)?\.sh$`)

func parseExpect(text string) ([]expectation, error) {
	var out []expectation
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		e, err := parseExpectation(line)
		if err != nil {
			return nil, fmt.Errorf("expect: %q: %w", line, err)
		}
		out = append(out, e)
	}
	return out, nil
}

func parseExpectation(line string) (expectation, error) {
	words := strings.Fields(line)
	e := expectation{line: line, verb: words[0], backend: "*"}
	kind, ok := verbs[e.verb]
	if !ok {
		return e, fmt.Errorf("unknown verb")
	}
	rest := words[1:]
	if kind.backend {
		if len(rest) == 0 || (rest[0] != "*" && !slices.Contains(backends, backend(rest[0]))) {
			return e, fmt.Errorf("want a backend, of %v, or *", backends)
		}
		e.backend, rest = rest[0], rest[1:]
	}
	switch {
	case kind.words < 0:
		e.args = rest
		return e, nil
	case len(rest) < kind.words || (!kind.pattern && len(rest) > kind.words) || (kind.pattern && len(rest) == kind.words):
		return e, fmt.Errorf("wrong number of words")
	}
	e.args = rest[:kind.words]
	if !kind.pattern {
		return e, nil
	}
	var err error
	e.pattern, err = regexp.Compile(strings.Join(rest[kind.words:], " "))
	return e, err
}

// check demands that status gives a reason wherever pings are expected to stay without an answer.
func (c configuration) check() error {
	for _, e := range c.expect {
		if e.verb != "path" || e.args[3] != pathNoAnswer {
			continue
		}
		explained := slices.ContainsFunc(c.expect, func(p expectation) bool {
			return p.verb == "problem" && (p.backend == e.backend || p.backend == "*") &&
				(matches(p.args[0], e.args[1]) || matches(p.args[0], e.args[2]) || e.args[1] == "all")
		})
		if !explained {
			return fmt.Errorf("expect: %q: no problem on either host explains it", e.line)
		}
	}
	return nil
}

// family is the family of the networks that the hosts can have, "dual" if nothing else is said.
func (c configuration) family() string {
	for _, e := range c.of("family", "") {
		return e.args[0]
	}
	return "dual"
}

// differing are the patterns of what may differ after weft clean.
func (c configuration) differing(o order) []*regexp.Regexp {
	var out []*regexp.Regexp
	for _, e := range c.of("differs", "") {
		if e.args[0] == string(o) {
			out = append(out, e.pattern)
		}
	}
	return out
}

// of lists the expectations of a kind that hold while b is in force.
func (c configuration) of(verb string, b backend) []expectation {
	var out []expectation
	for _, e := range c.expect {
		if e.verb == verb && e.appliesTo(b) {
			out = append(out, e)
		}
	}
	return out
}
