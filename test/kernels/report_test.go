package main

import (
	"strings"
	"testing"

	"github.com/weft-net/weft/test/kernels/suite"
)

func TestReport(t *testing.T) {
	one := suite.Begin + "a/b\n=== RUN   TestX\n    x_test.go:3: wrong\n--- FAIL: TestX (0.00s)\n--- PASS: TestY (0.00s)\n--- SKIP: TestZ (0.00s)\n"
	for name, tc := range map[string]struct{ console, out, err string }{
		"all is well":   {one + suite.End + "a/b 0 1.5\n" + suite.Done, "ok  \ta/b\t1.5s\t1 passed, skipped TestZ\n", ""},
		"a test failed": {one + suite.End + "a/b 1 1.5\n" + suite.Done, "    x_test.go:3: wrong\n--- FAIL: TestX (0.00s)\n--- SKIP: TestZ (0.00s)\nFAIL\ta/b\t1.5s\n", "failed: a/b"},
		"scripts failed": {suite.Begin + "a/b\n=== RUN   TestS\n=== RUN   TestS/a\n=== CONT  TestS/a\n    fine\n=== CONT  TestS/b\n    wrong\n--- FAIL: TestS (0.00s)\n    --- PASS: TestS/a (0.00s)\n" +
			"    --- FAIL: TestS/b (0.00s)\nFAIL\n" + suite.End + "a/b 1 1.5\n" + suite.Done,
			"    wrong\n--- FAIL: TestS (0.00s)\n    --- FAIL: TestS/b (0.00s)\nFAIL\nFAIL\ta/b\t1.5s\n", "failed: a/b"},
		"a panic":  {one + "Kernel panic - not syncing: Fatal exception", "", "Kernel panic - not syncing"},
		"a hang":   {one, "", "running: a/b"},
		"no suite": {suite.Done, "", "0 of 1 packages"},
	} {
		var out strings.Builder
		r := newReport(&out)
		r.boots([]suite.Suite{{Package: "a/b", Boot: 1}, {Package: "a/b", Boot: 2}}, 1)
		for line := range strings.Lines(tc.console) {
			r.line(strings.TrimSuffix(line, "\n"))
		}
		if out.String() != tc.out {
			t.Errorf("%s: printed %q, want %q", name, out.String(), tc.out)
		}
		switch err := r.verdict(); {
		case (err == nil) != (tc.err == ""):
			t.Errorf("%s: %v", name, err)
		case err != nil && !strings.Contains(err.Error(), tc.err):
			t.Errorf("%s: %v does not say %q", name, err, tc.err)
		}
	}
}

// TestReportsOfTwoKernels has guests that run at once: each line tells which
// kernel it is about.
func TestReportsOfTwoKernels(t *testing.T) {
	var out strings.Builder
	for _, kernel := range []string{"6.1", "6.12"} {
		r := newReport(&out)
		r.kernel = kernel
		r.boots([]suite.Suite{{Package: "a/b", Boot: 1}}, 1)
		for _, line := range []string{suite.Begin + "a/b", "--- PASS: TestY (0.00s)", suite.End + "a/b 0 1.5"} {
			r.line(line)
		}
	}
	if want := "ok  \ta/b\t1.5s\t1 passed\t[linux 6.1]\nok  \ta/b\t1.5s\t1 passed\t[linux 6.12]\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}
