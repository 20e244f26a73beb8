package flannel

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// TestGoldens holds what the delegate is told. Each file of testdata has a
// config, a subnet.env, and the delegate's config or the error.
func TestGoldens(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { golden(t, file) })
	}
}

func golden(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil || len(archive.Files) != 3 {
		t.Fatal("want three sections", err)
	}
	dir := t.TempDir()
	subnetFile := filepath.Join(dir, "subnet.env")
	if err := os.WriteFile(subnetFile, archive.Files[1].Data, 0o644); err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(told(archive.Files[0].Data, subnetFile), dir, "DIR")
	if *update {
		archive.Files[2].Data = []byte(got)
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(string(archive.Files[2].Data), got); diff != "" {
		t.Error(diff)
	}
}

// told is the delegate's config in many lines, or the error.
func told(text []byte, subnetFile string) string {
	c, err := parse(text)
	c.SubnetFile = subnetFile
	var conf object
	if err == nil {
		conf, err = c.forDelegate()
	}
	if known, ok := errors.AsType[*types.Error](err); ok {
		return known.Msg + "\n" + known.Details + "\n"
	}
	compact, err := json.Marshal(conf)
	var out bytes.Buffer
	if err == nil {
		err = json.Indent(&out, compact, "", "  ")
	}
	if err != nil {
		return "error: " + err.Error()
	}
	return out.String() + "\n"
}
