package main

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	var out strings.Builder
	writeTable(&out, []column{
		{"6.1", []result{{module + "internal/kernel", 214, 61.4, false}, {e2e, 8, 100, false}, {e2e, 1, 20, false}}},
		{"6.12", []result{{module + "internal/kernel", 213, 60, true}, {"weft-lab-demo", 0, 7, false}}},
	})
	const want = `
| passed in seconds | 6.1 | 6.12 |
|---|---|---|
| internal/kernel | 214 in 61 s | FAIL in 60 s |
| test/e2e | 9 in 120 s |  |
| weft-lab-demo |  | yes in 7 s |
`
	if got := out.String(); got != want {
		t.Errorf("printed %s", got)
	}
}
