package ebpf

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestObjectsAreWhatTheSourcesSay compiles the programs once more, by the same
// command as make fastpath and with the compiler that packaging/test-setup/install
// installs, and compares byte by byte.
func TestObjectsAreWhatTheSourcesSay(t *testing.T) {
	tree, err := filepath.Abs("../../internal/kernel/fastpath")
	if err != nil {
		t.Fatal(err)
	}
	again := t.TempDir()
	cmd := exec.Command(filepath.Join(tree, "bpf", "build"), again)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make fastpath: %v\n%s", err, out)
	}
	made, err := filepath.Glob(filepath.Join(again, "*"))
	if err != nil || len(made) != 4 {
		t.Fatalf("made %v, %v; want an object and a Go file for both byte orders", made, err)
	}
	for _, file := range made {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		have, err := os.ReadFile(filepath.Join(tree, filepath.Base(file)))
		if err != nil || !bytes.Equal(have, want) {
			t.Errorf("%s is not what its sources compile to (%v); run: make fastpath", filepath.Base(file), err)
		}
	}
}
