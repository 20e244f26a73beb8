package debian

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/synctest"
)

// deb makes a package of these files, by their paths in it.
func deb(t *testing.T, file, name string, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	files["DEBIAN/control"] = control(name)
	for name, text := range files {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("dpkg-deb", "--root-owner-group", "--build", dir, file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func control(name string) string {
	return "Package: " + name + "\nVersion: 1\nArchitecture: all\nMaintainer: A <a@b.c>\nDescription: one of a test\n"
}

// TestDamagedPackageIsFetchedAnew has a package in the cache that cannot be
// unpacked, as one that was written to a full disk.
func TestDamagedPackageIsFetchedAnew(t *testing.T) {
	c := &Cache{dir: t.TempDir(), arch: "amd64"}
	good, file := filepath.Join(t.TempDir(), "good.deb"), c.path("archives/greeter_1_all.deb")
	deb(t, good, "greeter", map[string]string{"usr/greeting": "hello\n"})
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

// TestInterruptedUnpacking has a kernel's packages in the cache that were not
// unpacked yet when the program was ended.
func TestInterruptedUnpacking(t *testing.T) {
	const name = "linux-image-6.1.0-1-cloud-amd64"
	c, mirror := &Cache{dir: t.TempDir(), arch: "amd64"}, t.TempDir()
	deb(t, filepath.Join(mirror, "k.deb"), name, map[string]string{"boot/vmlinuz-6.1.0": "", "lib/modules/6.1.0/modules.order": "", "lib/modules/6.1.0/modules.builtin": ""})
	data, err := os.ReadFile(filepath.Join(mirror, "k.deb"))
	if err != nil {
		t.Fatal(err)
	}
	index := fmt.Sprintf("%sFilename: ./k.deb\nSize: %d\nSHA256: %x\n", control(name), len(data), sha256.Sum256(data))
	release := fmt.Sprintf("Codename: %s\nSHA256:\n %x %d Packages\n", programSuite, sha256.Sum256([]byte(index)), len(index))
	err = errors.Join(os.WriteFile(filepath.Join(mirror, "Packages"), []byte(index), 0o644), os.WriteFile(filepath.Join(mirror, "Release"), []byte(release), 0o644))
	if err := errors.Join(err, c.configure("deb [trusted=yes] copy:"+mirror+" ./\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.apt(t.Context(), "apt-get", "-q", "update"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		k, err := c.Kernel(t.Context(), "6.1")
		if err != nil || k.Version != "6.1.0" {
			t.Fatalf("%+v, %v", k, err)
		}
		if err := os.RemoveAll(c.path(name)); err != nil {
			t.Fatal(err)
		}
	}
}
