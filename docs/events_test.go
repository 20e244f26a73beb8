package docs

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/event"
)

// The guide lists every kind of event, with what it means.
func TestTheGuideListsEveryKindOfEvent(t *testing.T) {
	guide, err := os.ReadFile("guides/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	want := "| kind | what happened |\n|---|---|\n"
	for _, m := range event.Meanings {
		want += fmt.Sprintf("| `%s` | %s |\n", m.Kind, m.Text)
	}
	if !strings.Contains(string(guide), want+"\n") {
		t.Errorf("docs/guides/operations.md does not have this table:\n%s", want)
	}
}
