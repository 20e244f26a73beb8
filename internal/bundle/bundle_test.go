package bundle_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-net/weft/internal/bundle"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	parts := []bundle.Part{{Name: "plan.txt", Data: []byte("link x\n")}, {Name: "kernel/routes.txt", Data: nil}}
	var file bytes.Buffer
	if err := bundle.Write(&file, "weft-h1", time.Unix(1e9, 0), parts); err != nil {
		t.Fatal(err)
	}
	got, err := bundle.Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"plan.txt": []byte("link x\n"), "kernel/routes.txt": {}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnotherFileIsNoArchive(t *testing.T) {
	if _, err := bundle.Read(strings.NewReader("link x\n")); err == nil || !strings.Contains(err.Error(), "weft bundle") {
		t.Errorf("got %v", err)
	}
}

func TestSecretsAreStruckOut(t *testing.T) {
	in := `etcd=[https://user:hunter2@10.0.0.5:2379] password s3cret, user@host`
	want := `etcd=[https://<removed>@10.0.0.5:2379] password <removed>, user@host`
	if got := string(bundle.Redact([]byte(in), "s3cret", "")); got != want {
		t.Errorf("got %s", got)
	}
	const doc = `{"Type":"wireguard","PSK" : "a/b+cdef=","Mode":"auto"} "{\"psk\":\"a\/b+cdef=\"}"`
	if got := string(bundle.Redact([]byte(doc))); strings.Contains(got, "cdef") || !strings.Contains(got, `"Mode":"auto"`) {
		t.Errorf("got %s", got)
	}
}
