package logonce_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/logonce"
)

func TestAFaultIsLoggedWhenItChanges(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	refused, reset := errors.New("connection refused"), errors.New("connection reset")
	var f logonce.Fault
	for _, err := range []error{nil, refused, refused, reset, refused, nil, nil} {
		f.Report(log, slog.LevelWarn, err, "etcd is unreachable", "etcd answers again", "endpoint", "a")
		if f.Active() != (err != nil) {
			t.Errorf("after %v: active %v", err, f.Active())
		}
	}
	want := strings.TrimSpace(`
level=WARN msg="etcd is unreachable" endpoint=a error="connection refused"
level=WARN msg="etcd is unreachable" endpoint=a error="connection reset"
level=WARN msg="etcd is unreachable" endpoint=a error="connection refused"
level=INFO msg="etcd answers again" endpoint=a`)
	if got := strings.TrimSpace(out.String()); got != want {
		t.Errorf("logged\n%s\nwant\n%s", got, want)
	}
}
