package kubernetes

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// image is a container image of static programs. It is imported on the nodes, and no registry is asked.
type image struct {
	name       string
	programs   []string          // paths of programs, which are in the image's /
	links      map[string]string // symbolic links, by path in the image
	entrypoint []string
}

// pauseImage is the image of pods' sandboxes.
const pauseImage = "registry.k8s.io/pause:3.10"

// agnhostImage is the image of pods that make and receive traffic.
const agnhostImage = "agnhost:test"

// images are all that nodes need; weft's is named as the manifests name it.
func images(weft ...string) ([]image, error) {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return nil, fmt.Errorf("find busybox, of Debian's package busybox-static: %w", err)
	}
	all := []image{
		{name: pauseImage, programs: []string{filepath.Join(built.weft, "pause")}, entrypoint: []string{"/pause"}},
		{
			name: agnhostImage, programs: []string{filepath.Join(built.kube, "agnhost"), busybox}, entrypoint: []string{"/agnhost"},
			links: map[string]string{"bin/sh": "/busybox", "bin/nslookup": "/busybox", "bin/hostname": "/busybox", "bin/ip": "/busybox"},
		},
		{name: "coredns:test", programs: []string{filepath.Join(built.coredns, "coredns")}, entrypoint: []string{"/coredns"}},
	}
	for _, name := range weft {
		all = append(all, image{
			name: name, entrypoint: []string{"/weft"},
			programs: []string{filepath.Join(built.weft, "weft"), filepath.Join(built.weft, "weft-cni")},
		})
	}
	return all, nil
}

// buildImagePrograms builds weft as `make image` does, and the program of the pause image.
func buildImagePrograms(ctx context.Context, repository, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", dir, "./cmd/weft", "./cmd/weft-cni", "./test/kubernetes/pause")
	cmd.Dir = repository
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build weft for its image: %w\n%s", err, out)
	}
	return nil
}

// archive writes the image to path, in the form of docker save.
func (i image) archive(path string) error {
	layer, err := i.layer()
	if err != nil {
		return fmt.Errorf("make the image %s: %w", i.name, err)
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": i.entrypoint, "Env": []string{"PATH=/bin:/usr/bin:/"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{fullName(i.name)}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, data := range map[string][]byte{"layer.tar": layer, "config.json": config, "manifest.json": manifest} {
		if err := addFile(w, name, data); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

func (i image) layer() ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	if err := w.WriteHeader(&tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}); err != nil {
		return nil, err
	}
	for _, program := range i.programs {
		data, err := os.ReadFile(program)
		if err == nil {
			err = addFile(w, filepath.Base(program), data)
		}
		if err != nil {
			return nil, err
		}
	}
	for path, target := range i.links {
		if err := w.WriteHeader(&tar.Header{Name: path, Typeflag: tar.TypeSymlink, Linkname: target, Mode: 0o777}); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}

func addFile(w *tar.Writer, name string, data []byte) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(data))}); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

// fullName is a name as container runtimes complete it.
func fullName(name string) string {
	host, _, found := strings.Cut(name, "/")
	switch {
	case !found:
		return "docker.io/library/" + name
	case strings.ContainsAny(host, ".:") || host == "localhost":
		return name
	default:
		return "docker.io/" + name
	}
}
