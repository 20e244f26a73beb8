package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

func TestPrinterEscapesWhatTerminalsObey(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\n":                 "plain\ttext\n",
		"größe 大 🙂":                     "größe 大 🙂",
		"\x1b[2J\x1b]0;title\x07":       `\u001b[2J\u001b]0;title\u0007`,
		"ready\rNOT READY":              `ready\u000dNOT READY`,
		"{\r\n}\r\n":                    "{\n}\n",
		"\r\r\n":                        "\\u000d\n",
		"\u009b31m and \x9b31m":         "\\u009b31m and \ufffd31m",
		"del\x7f\x00\x08":               `del\u007f\u0000\u0008`,
		"\u202egnp.exe\u2066\u200b":     `\u202egnp.exe\u2066\u200b`,
		"tags \U000e0041":               `tags \udb40\udc41`,
		"\xff\xfe":                      "\ufffd\ufffd",
		"one\u2028two":                  `one\u2028two`,
		strings.Repeat("x", 1<<16):      strings.Repeat("x", 1<<16),
		"surrogates \xed\xa0\x80 alone": "surrogates \ufffd\ufffd\ufffd alone",
	} {
		if got := printed(t, []byte(in), len(in)); got != want {
			t.Errorf("%q is printed as %q, want %q", in, got, want)
		}
		for size := 1; size < 4; size++ {
			if got := printed(t, []byte(in), size); got != want {
				t.Errorf("%q in pieces of %d is printed as %q, want %q", in, size, got, want)
			}
		}
	}
	if got, want := oneLine("a\nb\tc\x1b"), `a\u000ab\u0009c\u001b`; got != want {
		t.Errorf("in one line: %q, want %q", got, want)
	}
}

// printed writes in through a printer, in pieces.
func printed(t *testing.T, in []byte, size int) string {
	t.Helper()
	var out bytes.Buffer
	p := newPrinter(&out)
	for len(in) > 0 {
		piece := in[:min(size, len(in))]
		if n, err := p.Write(piece); n != len(piece) || err != nil {
			t.Fatalf("wrote %d of %d bytes: %v", n, len(piece), err)
		}
		in = in[len(piece):]
	}
	return out.String()
}

func FuzzPrinter(f *testing.F) {
	f.Add([]byte("{\"a\": \"\u009b\U000e0041\x7f\"}"), uint8(3))
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		got := printed(t, in, len(in)+1)
		if i := strings.IndexFunc(got, func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%q is printed as %q", in, got)
		}
		if pieces := printed(t, in, int(size)+1); pieces != got {
			t.Errorf("%q is printed as %q, in pieces as %q", in, got, pieces)
		}
		var before, after any
		if bytes.ContainsRune(bytes.ReplaceAll(in, []byte("\r\n"), nil), '\r') || json.Unmarshal(in, &before) != nil {
			return
		}
		if err := json.Unmarshal([]byte(got), &after); err != nil {
			t.Errorf("%q is printed as %q: %v", in, got, err)
		} else if x, y := encode(t, before), encode(t, after); x != y {
			t.Errorf("the document %s is printed as %s", x, y)
		}
	})
}

func encode(t *testing.T, v any) string {
	t.Helper()
	doc, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(doc)
}
