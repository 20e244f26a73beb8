package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/api"
)

func TestEventsAreAStreamOfDocuments(t *testing.T) {
	e := api.Event{Number: 7, At: time.Date(2026, 1, 31, 13, 45, 0, 0, time.UTC), Level: "warn", Kind: "drift", Message: "external change\nready", By: "ip[4711]"}
	for form, want := range map[string]string{
		outputText: "2026-01-31 13:45:00  \x1b[33mwarn \x1b[0m  external change\\u000aready  by=ip[4711]\n",
		outputJSON: `{"apiVersion":"weft/v1","number":7,"at":"2026-01-31T13:45:00Z","level":"warn","kind":"drift","message":"external change\nready","by":"ip[4711]"}` + "\n",
		outputYAML: "---\napiVersion: weft/v1\nat: \"2026-01-31T13:45:00Z\"\nby: ip[4711]\nkind: drift\nlevel: warn\nmessage: |-\n  external change\n  ready\nnumber: 7\n",
	} {
		var out bytes.Buffer
		p := newPrinter(&out)
		p.colour = true
		if err := printEvent(p, form, e); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("as %s it is\n%q\nwant\n%q", form, &out, want)
		}
	}
}

// TestYAMLKeepsWhatIsEscaped holds that escapes stand between double quotes,
// where YAML reads them as JSON does.
func TestYAMLKeepsWhatIsEscaped(t *testing.T) {
	var out bytes.Buffer
	doc := eventDocument{documentVersion, api.Event{Message: "a\u202eb"}}
	if err := printYAML(newPrinter(&out), doc); err != nil {
		t.Fatal(err)
	}
	if want := `"message": "a\u202eb"`; !bytes.Contains(out.Bytes(), []byte(want)) {
		t.Errorf("the document has no %s:\n%s", want, &out)
	}
}
