package debian

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/synctest"
)

// deb makes a package with one file, usr/greeting.
func deb(t *testing.T, file string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"DEBIAN/control": "Package: greeter\nVersion: 1\nArchitecture: all\nMaintainer: A <a@b.c>\nDescription: greets\n", "usr/greeting": "hello\n"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("dpkg-deb", "--root-owner-group", "--build", dir, file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestDamagedPackageIsFetchedAnew has a package in the cache that cannot be
// unpacked, as one that was written to a full disk.
func TestDamagedPackageIsFetchedAnew(t *testing.T) {
	c := &Cache{dir: t.TempDir(), arch: "amd64"}
	good, file := filepath.Join(t.TempDir(), "good.deb"), c.path("archives/greeter_1_all.deb")
	deb(t, good)
	if err := errors.Join(os.Mkdir(c.path("archives"), 0o755), os.WriteFile(file, []byte("!<arch>\ndamaged"), 0o644)); err != nil {
		t.Fatal(err)
	}
	root := c.path("programs")
	fetched := 0
	fill := func(dir string) error {
		return c.unpacked(t.Context(), []string{"greeter_1_all.deb"}, dir, func() error {
			if _, err := os.Stat(file); err == nil {
				return nil // as apt, which goes by a file's name and size
			}
			fetched++
			return os.Link(good, file)
		})
	}
	if err := once(root, fill); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(root, "usr/greeting")); string(text) != "hello\n" || fetched != 1 {
		t.Errorf("unpacked %q, %v, fetched %d times", text, err, fetched)
	}
}

// TestMirrorThatFails has no mirror at all, then one that comes back.
func TestMirrorThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Cache{dir: t.TempDir()}
		asked := 0
		root := c.path("programs")
		err := once(root, func(dir string) error {
			return c.unpacked(t.Context(), nil, dir, func() error { asked++; return errors.New("503") })
		})
		if err == nil || asked != tries {
			t.Errorf("asked %d times: %v", asked, err)
		}
		left, err := os.ReadDir(c.dir)
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		err = c.unpacked(t.Context(), nil, root, func() (err error) {
			if asked++; asked%2 == 0 {
				return nil
			}
			return errors.New("503")
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestErrorsNamePackagesWithoutTheMirror(t *testing.T) {
	got := plain("E: Failed to fetch http://mirror.example:3142/debian/pool/main/k/kmod/kmod_30_amd64.deb  404  Not Found [IP: 192.0.2.1 80]\n")
	if want := "E: Failed to fetch kmod_30_amd64.deb  404  Not Found\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
