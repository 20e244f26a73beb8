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
	"slices"
	"strings"
)

// image is a container image of static programs. It is imported on the nodes, and no registry is asked.
type image struct {
	name       string
	also       []string          // further names
	programs   []string          // paths of programs, which are in the image's /
	copies     []string          // paths of programs that are there under the same path, with their libraries
	texts      map[string]string // other files, by path in the image
	links      map[string]string // symbolic links, by path in the image
	entrypoint []string
	args       []string // unless the pod says others
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
		"config": map[string]any{"Entrypoint": i.entrypoint, "Cmd": i.args, "Env": []string{"PATH=/bin:/usr/bin:/"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	})
	if err != nil {
		return err
	}
	var tags []string
	for _, name := range append([]string{i.name}, i.also...) {
		tags = append(tags, fullName(name))
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": tags, "Layers": []string{"layer.tar"}}})
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
		if err := copyFile(w, filepath.Base(program), program); err != nil {
			return nil, err
		}
	}
	files, err := withLibraries(i.copies)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if err := copyFile(w, strings.TrimPrefix(file, "/"), file); err != nil {
			return nil, err
		}
	}
	for path, text := range i.texts {
		if err := addFile(w, path, []byte(text)); err != nil {
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

// copyFile adds a file of this machine, not a symbolic link to it.
func copyFile(w *tar.Writer, name, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return addFile(w, name, data)
}

// withLibraries returns the programs and the shared libraries that they need, each once.
func withLibraries(programs []string) (files []string, err error) {
	for _, program := range programs {
		out, err := exec.Command("ldd", program).CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("ldd %s: %w: %s", program, err, out)
		}
		files = append(files, program)
		for _, word := range strings.Fields(string(out)) {
			if filepath.IsAbs(word) && !slices.Contains(files, word) {
				files = append(files, word)
			}
		}
	}
	return files, nil
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
