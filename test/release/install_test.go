package release

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// TestMakeInstall installs below a directory, twice, and uninstalls: what the operator changed stays, and nothing else.
func TestMakeInstall(t *testing.T) {
	root := t.TempDir()
	run := func(target string) {
		t.Helper()
		if out, err := exec.Command("make", "--directory=../..", target, "DESTDIR="+root).CombinedOutput(); err != nil {
			t.Fatalf("make %s: %v\n%s", target, err, out)
		}
	}
	run("install")
	for _, program := range []string{"weft", "weft-cni"} {
		if info, err := os.Stat(filepath.Join(root, "usr", "local", "bin", program)); err != nil || info.Mode() != 0o755 {
			t.Errorf("%s is not installed as a program: %v", program, err)
		}
	}
	variables := filepath.Join(root, "etc", "weft", "weft.env")
	if err := os.WriteFile(variables, []byte("WEFT_IFACE=eth7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if files := regularFiles(t, root); len(files) < 30 {
		t.Errorf("only these files were installed: %v", files)
	}
	run("install")
	if text := read(t, variables); string(text) != "WEFT_IFACE=eth7\n" {
		t.Errorf("a second installation wrote over the operator's file:\n%s", text)
	}
	run("uninstall")
	if left := regularFiles(t, root); !slices.Equal(left, []string{"etc/weft/weft.env"}) {
		t.Errorf("after make uninstall there are %v", left)
	}
}

func regularFiles(t *testing.T, root string) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
