package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// programs are what a release consists of, by package.
var programs = []string{"weft", "weft-cni"}

// stage is the directory of an architecture's files, laid out as in its tarball.
func (r *release) stage(arch string) string { return filepath.Join(r.work, arch) }

// packageStage has the files that packages have in another form than tarballs.
func (r *release) packageStage() string { return filepath.Join(r.work, "package") }

// build compiles the programs, and if they are asked for, collects the files of tarballs and packages.
func (r *release) build(ctx context.Context) error {
	if slices.Equal(r.formats, []string{"manifest"}) {
		return nil
	}
	for _, arch := range r.arches {
		for _, program := range programs {
			out := filepath.Join(r.stage(arch), program)
			if err := r.goCommand(ctx, arch, "build", "-ldflags=-s -w -X main.version="+r.version, "-o", out, "./cmd/"+program); err != nil {
				return err
			}
		}
	}
	if !slices.ContainsFunc([]string{"tarball", "deb", "rpm"}, r.wants) {
		return nil
	}
	pages := filepath.Join(r.work, "pages")
	if err := r.goCommand(ctx, "", "run", "./packaging/pages", "-out="+pages, "-version="+r.version, "-date="+strconv.FormatInt(r.date.Unix(), 10)); err != nil {
		return err
	}
	for _, arch := range r.arches {
		if err := r.collect(pages, r.stage(arch)); err != nil {
			return err
		}
	}
	return r.collectForPackages(pages)
}

// goCommand runs the go command in the repository, for an architecture or for this machine.
func (r *release) goCommand(ctx context.Context, arch string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = r.root
	// The paths of this machine must not be in the programs.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -trimpath"))
	if arch != "" {
		cmd.Env = append(cmd.Env, "GOOS=linux", "GOARCH="+arch)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (r *release) collect(pages, to string) error {
	for from, name := range map[string]string{
		"LICENSE": "LICENSE", "README.md": "README.md", "CHANGELOG.md": "CHANGELOG.md",
		"packaging/monitoring/weft-alerts.yml": "monitoring/weft-alerts.yml", "packaging/monitoring/weft-dashboard.json": "monitoring/weft-dashboard.json",
		"packaging/systemd/weft.service": "systemd/weft.service", "packaging/supervisord/weft.ini": "supervisord/weft.ini",
	} {
		if err := copyFile(filepath.Join(r.root, from), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	if err := copyFile(filepath.Join(pages, "weft.env"), filepath.Join(to, "systemd", "weft.env")); err != nil {
		return err
	}
	for _, dir := range []string{"man", "completion"} {
		if err := os.CopyFS(filepath.Join(to, dir), os.DirFS(filepath.Join(pages, dir))); err != nil {
			return err
		}
	}
	return nil
}

// collectForPackages writes the unit with the path that packages install to, and compressed manual pages.
func (r *release) collectForPackages(pages string) error {
	unit, err := os.ReadFile(filepath.Join(r.root, "packaging", "systemd", "weft.service"))
	if err != nil {
		return err
	}
	unit = bytes.ReplaceAll(unit, []byte("/usr/local/bin/"), []byte("/usr/bin/"))
	if err := writeFile(filepath.Join(r.packageStage(), "weft.service"), unit); err != nil {
		return err
	}
	manual, err := filepath.Glob(filepath.Join(pages, "man", "*.1"))
	if err != nil || len(manual) == 0 {
		return fmt.Errorf("there are no manual pages: %w", err)
	}
	for _, page := range manual {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(r.packageStage(), "man", filepath.Base(page)+".gz"), compressed(text)); err != nil {
			return err
		}
	}
	changes, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(r.packageStage(), "changelog.gz"), compressed(changes))
}

func compressed(data []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // the level is valid, and a buffer takes everything
	}
	return out.Bytes()
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return writeFile(to, data)
}

func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
