package cli

import (
	"net"
	"strings"
	"testing"
)

// A command that waits for an etcd that accepts connections and says nothing
// tells which one, and gives up within the time allowed.
func TestACommandTellsWhichEtcdItWaitsFor(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	var out, errs strings.Builder
	code := Main(t.Context(), Process{
		Args:   []string{"weft", "lease", "list", "--etcd-endpoints=http://" + silent.Addr().String(), "--timeout=4s"},
		Env:    func(string) (string, bool) { return "", false },
		Stdin:  strings.NewReader(""),
		Stdout: &out, Stderr: &errs,
	})
	where := silent.Addr().String() + " (connected, but no response)"
	for _, want := range []string{"weft: waiting for etcd at " + where + " ...\n", "weft: etcd is unreachable at " + where, "--timeout allows more time"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("it says\n%s\nand not %q", &errs, want)
		}
	}
	if code != exitFailure || out.Len() > 0 {
		t.Errorf("exit code %d, output %q", code, &out)
	}
}
