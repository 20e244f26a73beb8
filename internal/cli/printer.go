package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// weft prints texts that come from the store or the Kubernetes API: keys, host
// names, errors of other hosts. A terminal must not interpret any of them.

// printer writes text and escapes what a terminal might interpret: control
// characters, formatting characters that hide or reorder text, and bytes that
// are not UTF-8. Escapes have JSON's form, so that a JSON document stays the
// same document. Tabs and ends of lines pass, these as line feeds.
type printer struct {
	mu     sync.Mutex
	to     io.Writer
	rest   []byte // beginning of a character, or of an end of line, whose end is to come
	marks  bool   // for a person: verdicts are marked, and summaries added
	colour bool
}

func newPrinter(to io.Writer) *printer { return &printer{to: to} }

// Write passes b on.
func (p *printer) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := append(p.rest, b...)
	p.rest = nil
	var out strings.Builder
	out.Grow(len(text))
	for len(text) > 0 {
		if !utf8.FullRune(text) || string(text) == "\r" {
			p.rest = append(p.rest, text...)
			break
		}
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		switch {
		case r == '\n' || r == '\t':
			out.WriteRune(r)
		case r == '\r' && text[0] == '\n':
		default:
			writeHarmless(&out, r)
		}
	}
	if _, err := io.WriteString(p.to, out.String()); err != nil {
		return 0, err
	}
	return len(b), nil
}

func writeHarmless(out *strings.Builder, r rune) {
	switch {
	case unicode.IsPrint(r): // also U+FFFD, to which bytes that are not UTF-8 decode
		out.WriteRune(r)
	case r > 0xffff:
		high, low := utf16.EncodeRune(r)
		fmt.Fprintf(out, `\u%04x\u%04x`, high, low)
	default:
		fmt.Fprintf(out, `\u%04x`, r)
	}
}

// oneLine returns s as a printer writes it, but without line feeds and tabs,
// which could make one value look like several lines or cells.
func oneLine(s string) string {
	var out strings.Builder
	for _, r := range s {
		writeHarmless(&out, r)
	}
	return out.String()
}

// indented moves all lines of s but the first to the right, so that none of
// them looks like the beginning of another message.
func indented(s string) string { return strings.ReplaceAll(s, "\n", "\n    ") }
