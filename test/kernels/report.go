package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/weft-net/weft/test/kernels/suite"
)

// lastLines is how much of the console is shown of a guest that did not end
// well.
const lastLines = 50

// report reads a guest's console and prints what go test would.
type report struct {
	out     io.Writer
	kernel  string // to print behind each result, if guests run at once
	want    int    // suites
	ended   int
	failed  []string
	done    bool
	running string   // the package of the suite that runs
	lines   []string // of it, or of the kernel before the first
	passed  int
	skipped []string
	results []result // of all boots
}

func newReport(out io.Writer) *report { return &report{out: out} }

// boots begins another boot of the guest.
func (r *report) boots(all []suite.Suite, boot int) {
	*r = report{out: r.out, kernel: r.kernel, results: r.results}
	for _, s := range all {
		if s.Boot == boot {
			r.want++
		}
	}
}

// line takes in a line of the console.
func (r *report) line(line string) {
	switch {
	case strings.HasPrefix(line, suite.Begin):
		r.running, r.lines, r.passed, r.skipped = strings.TrimPrefix(line, suite.Begin), nil, 0, nil
	case strings.HasPrefix(line, suite.End):
		r.end(strings.TrimPrefix(line, suite.End))
	case line == suite.Done:
		r.done = true
	default:
		r.lines = append(r.lines, line)
		switch text := strings.TrimSpace(line); {
		case strings.HasPrefix(text, "--- PASS"):
			r.passed++
		case strings.HasPrefix(text, "--- SKIP"):
			r.skipped = append(r.skipped, strings.Fields(text)[2])
		}
	}
}

// end prints the result of a suite: of one that failed with its output.
func (r *report) end(text string) {
	var name string
	var code int
	var seconds float64
	if _, err := fmt.Sscan(text, &name, &code, &seconds); err != nil {
		r.lines = append(r.lines, text)
		return
	}
	r.ended++
	r.results = append(r.results, result{name, r.passed, seconds, code != 0})
	shown, verdict := "", "ok  "
	if code != 0 {
		r.failed = append(r.failed, name)
		shown, verdict = strings.Join(ofFailed(r.lines), "\n")+"\n", "FAIL"
	}
	_, _ = fmt.Fprintf(r.out, "%s%s\t%s\t%.1fs%s\n", shown, verdict, name, seconds, r.details(code))
	r.running, r.lines = "", nil
}

// details is what of a result go test does not print.
func (r *report) details(code int) string {
	var details []string
	if code == 0 && r.passed > 0 {
		details = append(details, fmt.Sprintf("%d passed", r.passed))
	}
	if code == 0 && len(r.skipped) > 0 {
		details = append(details, "skipped "+strings.Join(r.skipped, " "))
	}
	text := ""
	if len(details) > 0 {
		text = "\t" + strings.Join(details, ", ")
	}
	if r.kernel != "" {
		text += "\t[linux " + r.kernel + "]"
	}
	return text
}

// ofFailed returns the lines that go test shows if it is not told to show all:
// those of tests that failed, and what no test printed. Of a program that did
// not come to its end, that is all.
func ofFailed(lines []string) (shown []string) {
	ended := slices.Contains(lines, "FAIL")
	failed := map[string]bool{"": true}
	for _, line := range lines {
		if rest, found := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: "); found {
			name, _, _ := strings.Cut(rest, " ")
			failed[name] = true
		}
	}
	running := "" // the test whose lines follow
	for _, line := range lines {
		switch text := strings.TrimSpace(line); {
		case strings.HasPrefix(line, "=== "):
			_, name, _ := strings.Cut(strings.TrimPrefix(line, "=== "), " ")
			running = strings.TrimSpace(name)
		case strings.HasPrefix(text, "--- PASS"):
			running = ""
		case strings.HasPrefix(text, "--- "):
			running = ""
			shown = append(shown, line)
		case failed[running], !ended:
			shown = append(shown, line)
		}
	}
	return shown
}

// verdict tells whether all suites passed and the guest came to its end.
func (r *report) verdict() error {
	var err error
	if len(r.failed) > 0 {
		err = fmt.Errorf("failed: %s", strings.Join(r.failed, " "))
	}
	if r.done && r.ended == r.want {
		return err
	}
	last := strings.Join(r.lines[max(0, len(r.lines)-lastLines):], "\n")
	return errors.Join(err, fmt.Errorf("the guest did not come to its end (%d of %d packages, running: %s); its last lines:\n%s", r.ended, r.want, r.running, last))
}
