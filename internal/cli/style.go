package cli

import (
	"fmt"
	"io"
	"strings"
)

// Colour and marks are for terminals only: what a pipe gets is the same text
// without them.

// style is how a terminal shows a text: parameters of ECMA-48's SGR.
type style string

const (
	plain  style = ""
	bold   style = "1"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

// verdict is what a line says about its subject.
type verdict struct {
	mark  string
	style style
}

var (
	neutral = verdict{" ", plain}
	good    = verdict{"✓", green}
	doubt   = verdict{"!", yellow}
	bad     = verdict{"✗", red}
)

// goodIf is good or bad.
func goodIf(ok bool) verdict {
	if ok {
		return good
	}
	return bad
}

// newTerminal returns a printer that shows marks if stream is a terminal, and
// colours unless the environment has NO_COLOR. A terminal that cannot do more
// than print, as TERM tells, gets neither.
func newTerminal(stream io.Writer, env func(string) (string, bool)) *printer {
	p := newPrinter(stream)
	kind, _ := env("TERM")
	if !isTerminal(stream) || kind == "" || kind == "dumb" {
		return p
	}
	plain, _ := env("NO_COLOR")
	p.marks, p.colour = true, plain == ""
	return p
}

// alike returns a printer to another stream that shows what w would.
func alike(w, to io.Writer) io.Writer {
	p := newPrinter(to)
	if o, ok := w.(*printer); ok {
		p.marks, p.colour = o.marks, o.colour
	}
	return p
}

// marked tells whether w shows marks and summaries.
func marked(w io.Writer) bool {
	p, ok := w.(*printer)
	return ok && p.marks
}

// paint writes text to w in a style, where w shows colours.
func paint(w io.Writer, s style, text string) {
	p, ok := w.(*printer)
	if !ok || !p.colour || s == plain {
		_, _ = io.WriteString(w, text) // an error of the terminal is ignored, as everywhere
		return
	}
	_, _ = io.WriteString(p.to, "\x1b["+string(s)+"m")
	_, _ = io.WriteString(p, text)
	_, _ = io.WriteString(p.to, "\x1b[0m")
}

// conclude writes the last line of a command that did what it was asked for.
func conclude(w io.Writer, text string) error {
	if marked(w) {
		paint(w, good.style, good.mark+" ")
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// summarize writes a last line with a mark, on terminals alone.
func summarize(w io.Writer, v verdict, format string, args ...any) {
	if marked(w) {
		paint(w, v.style, v.mark+" "+fmt.Sprintf(format, args...))
		fmt.Fprintln(w)
	}
}

// paintChange writes a line that begins with the sign of a change, as diff(1)
// does.
func paintChange(w io.Writer, line string) {
	s := plain
	switch {
	case strings.HasPrefix(line, "+"):
		s = green
	case strings.HasPrefix(line, "-"):
		s = red
	case strings.HasPrefix(line, "~"), strings.HasPrefix(line, "!"):
		s = yellow
	}
	paint(w, s, line)
	fmt.Fprintln(w)
}
