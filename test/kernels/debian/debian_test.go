package debian

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestNewest(t *testing.T) {
	lines := []string{
		"linux-image-6.1.0-9-cloud-amd64 - Linux", "linux-image-6.1.0-56-cloud-amd64 - Linux", "linux-image-6.1.0-57-cloud-amd64-unsigned - Linux",
		"linux-image-6.1.0-0.deb11.52-cloud-amd64 - Linux", "linux-image-6.12.117+deb12-cloud-amd64 - Linux", "linux-image-6.12-cloud-amd64 - meta",
		"linux-image-6.12.99+deb12-cloud-amd64 - Linux", "linux-image-7.3.4+deb13-cloud-amd64-dbg - Linux", "linux-image-7.3.4+deb13-cloud-amd64 - Linux", "",
	}
	for series, want := range map[string]string{
		"6.1": "linux-image-6.1.0-56-cloud-amd64", "6.12": "linux-image-6.12.117+deb12-cloud-amd64", Newest: "linux-image-7.3.4+deb13-cloud-amd64", "5.4": "",
	} {
		if got := newest(lines, series, "cloud-amd64"); got != want {
			t.Errorf("%s: %q, want %q", series, got, want)
		}
	}
}

func TestInstalled(t *testing.T) {
	got := installed("Reading package lists...\nInst busybox-static (1:1.35.0-4+b1 Debian:12.15/oldstable [amd64])\n" +
		"Inst libc6 (2.36-9 Debian:12.15/oldstable, Debian-Security:12/oldstable-security [amd64]) []\nConf libc6 (2.36-9 Debian:12 [amd64])\n")
	if want := []string{"busybox-static_1%3a1.35.0-4+b1_amd64.deb", "libc6_2.36-9_amd64.deb"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestKernelIn(t *testing.T) {
	for name, files := range map[string][]string{
		"image in boot":        {"boot/vmlinuz-6.1.0", "lib/modules/6.1.0/modules.order"},
		"image beside modules": {"usr/lib/modules/6.1.0/vmlinuz"},
	} {
		root := t.TempDir()
		for _, file := range files {
			at := filepath.Join(root, file)
			if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, nil, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		k, err := kernelIn(root)
		if err != nil || k.Version != "6.1.0" || k.Image != filepath.Join(root, files[0]) || filepath.Base(k.Modules) != "6.1.0" {
			t.Errorf("%s: %+v, %v", name, k, err)
		}
	}
	if k, err := kernelIn(t.TempDir()); err == nil {
		t.Errorf("found %+v in an empty folder", k)
	}
}
