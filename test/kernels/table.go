package main

import (
	"fmt"
	"io"
	"strings"
)

// result is how a suite went.
type result struct {
	name    string // package
	passed  int    // tests, with their parts; 0 if the program does not count any
	seconds float64
	failed  bool
}

// column is how the suites went on one kernel.
type column struct {
	version string
	results []result
}

// writeTable prints the suites of several kernels side by side, as Markdown.
func writeTable(out io.Writer, columns []column) {
	var names []string
	cells := map[string]map[int]string{}
	for n, c := range columns {
		for _, r := range merged(c.results) {
			if cells[r.name] == nil {
				cells[r.name] = map[int]string{}
				names = append(names, r.name)
			}
			cells[r.name][n] = r.String()
		}
	}
	head, line := "| passed in seconds |", "|---|"
	for _, c := range columns {
		head, line = head+" "+c.version+" |", line+"---|"
	}
	_, _ = fmt.Fprintf(out, "\n%s\n%s\n", head, line)
	for _, name := range names {
		row := "| " + strings.TrimPrefix(name, module) + " |"
		for n := range columns {
			row += " " + cells[name][n] + " |"
		}
		_, _ = fmt.Fprintln(out, row)
	}
}

// merged adds up what a package ran in several boots.
func merged(results []result) (out []result) {
	at := map[string]int{}
	for _, r := range results {
		n, found := at[r.name]
		if !found {
			at[r.name] = len(out)
			out = append(out, r)
			continue
		}
		out[n].passed += r.passed
		out[n].seconds += r.seconds
		out[n].failed = out[n].failed || r.failed
	}
	return out
}

// String is a cell of the table.
func (r result) String() string {
	switch {
	case r.failed:
		return fmt.Sprintf("FAIL in %.0f s", r.seconds)
	case r.passed > 0:
		return fmt.Sprintf("%d in %.0f s", r.passed, r.seconds)
	}
	return fmt.Sprintf("yes in %.0f s", r.seconds)
}
