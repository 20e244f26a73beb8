package lease

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestReasonInLogs(t *testing.T) {
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Info("chosen", "how", ReasonAdopted)
	slog.New(slog.NewTextHandler(&b, nil)).Info("chosen", "how", ReasonFree)
	for _, want := range []string{`"how":"adopted lease"`, `how="free subnet"`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, b.String())
		}
	}
}
