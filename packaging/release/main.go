// Command release makes what weft is distributed as, out of this repository:
// tarballs, Debian and RPM packages, a container image, manifests and a chart that name it,
// lists of what the programs are made of, and checksums. It needs the go
// command and git, no Docker and no packaging tools.
//
// Two runs on one commit with one version of Go write the same bytes. It is a
// module of its own so that weft's go.mod does not name what it is made with.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// release is one run.
type release struct {
	root     string    // of the repository
	out      string    // directory of the results
	version  string    // as git describe tells it: v1.2.3, v1.2.3-4-g1234567
	arches   []string  // as GOARCH
	formats  []string  // see allFormats
	registry string    // of the image; "": none
	push     bool      // the image, to the registry
	date     time.Time // of every file
	work     string    // directory for what is on the way
	written  []string  // names of the results
}

// allArches are those that flannel is published for.
const allArches = "amd64,arm64,arm,ppc64le,riscv64,s390x"

// packageArches are those of packages and image, unless one architecture alone is asked for.
var packageArches = []string{"amd64", "arm64"}

const allFormats = "tarball,deb,rpm,image,manifest,sbom"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := release{}
	flag.StringVar(&r.root, "root", ".", "the repository")
	flag.StringVar(&r.out, "out", "dist", "directory for the results")
	flag.StringVar(&r.version, "version", "", "version, such as v1.2.3")
	arches := flag.String("arches", allArches, "architectures, as GOARCH has them")
	formats := flag.String("formats", allFormats, "what to make")
	flag.StringVar(&r.registry, "registry", "", "registry in which the manifests name the image")
	flag.BoolVar(&r.push, "push", false, "push the image to the registry")
	flag.Parse()
	r.arches, r.formats = strings.Split(*arches, ","), strings.Split(*formats, ",")
	if err := r.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func (r *release) run(ctx context.Context) (err error) {
	if err := r.check(); err != nil {
		return err
	}
	if r.date, err = sourceDate(ctx, r.root); err != nil {
		return err
	}
	if r.work, err = os.MkdirTemp("", "weft-release-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.work)) }()
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	if err := r.build(ctx); err != nil {
		return err
	}
	steps := []struct {
		format string
		make   func(context.Context) error
	}{
		{"tarball", r.tarballs}, {"deb", r.debs}, {"rpm", r.rpms}, {"image", r.image}, {"manifest", r.manifests}, {"sbom", r.sboms},
	}
	for _, s := range steps {
		if !r.wants(s.format) {
			continue
		}
		if err := s.make(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.format, err)
		}
	}
	return r.sums()
}

func (r *release) check() error {
	all := strings.Split(allFormats, ",")
	for _, f := range r.formats {
		if !slices.Contains(all, f) {
			return fmt.Errorf("-formats: %q is none of %s", f, allFormats)
		}
	}
	switch {
	case !strings.HasPrefix(r.version, "v"):
		return fmt.Errorf("-version %q: must be like v1.2.3", r.version)
	case r.push && r.registry == "":
		return errors.New("-push needs a -registry")
	}
	return nil
}

func (r *release) wants(format string) bool { return slices.Contains(r.formats, format) }

// packaged are the architectures of packages and image.
func (r *release) packaged() []string {
	if len(r.arches) == 1 {
		return r.arches
	}
	return slices.DeleteFunc(slices.Clone(r.arches), func(a string) bool { return !slices.Contains(packageArches, a) })
}

// name is that of a result: weft-v1.2.3-SUFFIX.
func (r *release) name(suffix string) string { return "weft-" + r.version + "-" + suffix }

// result returns where the result of that name is written, and notes it for the checksums.
func (r *release) result(name string) string {
	r.written = append(r.written, name)
	fmt.Println(filepath.Join(r.out, name))
	return filepath.Join(r.out, name)
}

// sourceDate is $SOURCE_DATE_EPOCH, or else the time of the commit.
func sourceDate(ctx context.Context, root string) (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		out, err := exec.CommandContext(ctx, "git", "-C", root, "log", "-1", "--format=%ct").Output()
		if err != nil {
			return time.Time{}, fmt.Errorf("find the time of the commit, as SOURCE_DATE_EPOCH is not set: git log: %w", err)
		}
		text = strings.TrimSpace(string(out))
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH %q: must be seconds since 1970", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
