package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // packs "deb"
	_ "github.com/goreleaser/nfpm/v2/rpm" // packs "rpm"
)

func (r *release) debs(context.Context) error { return r.packages("deb") }
func (r *release) rpms(context.Context) error { return r.packages("rpm") }

// packages writes a package of that format for each architecture, as nfpm.yaml describes it.
func (r *release) packages(format string) error {
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	for _, arch := range r.packaged() {
		info, err := r.describe(format, arch)
		if err != nil {
			return err
		}
		file := r.result(packager.ConventionalFileName(info))
		if err := writeTo(file, func(w io.Writer) error { return packager.Package(info, w) }); err != nil {
			return fmt.Errorf("%s: %w", arch, err)
		}
	}
	return nil
}

// describe reads nfpm.yaml for a format and an architecture. Its sources are files of the stage, of the
// stage for packages below @package, or of the repository below @root.
func (r *release) describe(format, arch string) (*nfpm.Info, error) {
	variables := map[string]string{"ARCH": arch, "VERSION": packageVersion(r.version)}
	config, err := nfpm.ParseFileWithEnvMapping(filepath.Join(r.root, "packaging", "release", "nfpm.yaml"), func(name string) string { return variables[name] })
	if err != nil {
		return nil, err
	}
	info, err := config.Get(format)
	if err != nil {
		return nil, err
	}
	info.MTime = r.date
	for _, c := range info.Contents {
		c.Source = r.source(arch, c.Source)
	}
	for _, script := range []*string{&info.Scripts.PostInstall, &info.Scripts.PreRemove, &info.Scripts.PostRemove} {
		*script = r.source(arch, *script)
	}
	return nfpm.WithDefaults(info), nil
}

func (r *release) source(arch, name string) string {
	if name == "" {
		return ""
	}
	for prefix, dir := range map[string]string{"@package/": r.packageStage(), "@root/": r.root} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return filepath.Join(dir, rest)
		}
	}
	return filepath.Join(r.stage(arch), name)
}

// since matches what git describe appends to the last tag for commits and changes since then.
var since = regexp.MustCompile(`-(\d+-g[0-9a-f]+(?:-dirty)?|dirty)$`)

// packageVersion is the version as dpkg and rpm order it: commits after a tag (+) are newer than the tag,
// a pre-release (~) is older.
func packageVersion(version string) string {
	v := strings.TrimPrefix(version, "v")
	rest := ""
	if m := since.FindStringSubmatchIndex(v); m != nil {
		v, rest = v[:m[0]], "+"+v[m[2]:m[3]]
	}
	v = strings.Replace(v, "-", "~", 1) + rest
	return strings.ReplaceAll(v, "-", ".")
}
