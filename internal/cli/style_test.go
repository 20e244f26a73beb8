package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/api"
)

// shownOn returns how a printer with marks, colours or neither shows s.
func shownOn(t *testing.T, marks, colour bool, s api.Status) string {
	t.Helper()
	var out bytes.Buffer
	p := newPrinter(&out)
	p.marks, p.colour = marks, colour
	if err := (statusView{}).show(p, s, now); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestStatusHasMarksAndColoursOnTerminals(t *testing.T) {
	s := busy()
	s.Hostname = "\x1b[31mred"
	inPipe, onPlain, onColour := shownOn(t, false, false, s), shownOn(t, true, false, s), shownOn(t, true, true, s)
	for _, mark := range []string{good.mark, bad.mark, "\x1b"} {
		if strings.Contains(inPipe, mark) {
			t.Errorf("a pipe gets %q:\n%s", mark, inPipe)
		}
	}
	for _, line := range []string{
		"state    ✗  NOT READY", "uplink   ✓  eth0", "store    ✗  etcd, unreachable", "peers    ✗  2 of 3",
		"\n\n✗ not ready; problems: 1; peers: 2 of 3",
	} {
		if !strings.Contains(onPlain, line) {
			t.Errorf("a terminal does not show %q:\n%s", line, onPlain)
		}
	}
	uncoloured := strings.NewReplacer("\x1b[1m", "", "\x1b[31m", "", "\x1b[32m", "", "\x1b[33m", "", "\x1b[0m", "").Replace(onColour)
	if uncoloured != onPlain {
		t.Errorf("without its colours the text is\n%s\nwant\n%s", uncoloured, onPlain)
	}
	if !strings.Contains(onColour, "\x1b[32m✓\x1b[0m") || strings.Contains(onColour, "\x1b[31mred") {
		t.Errorf("the coloured text is %q", onColour)
	}
}

func TestTerminalIsNoPipe(t *testing.T) {
	env := func(string) (string, bool) { return "xterm", true }
	if p := newTerminal(&bytes.Buffer{}, env); p.marks || p.colour {
		t.Error("a buffer counts as a terminal")
	}
}
