package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var imageLine = regexp.MustCompile(`image: "weft:[^"]*"`)

// manifests writes the manifests and the chart with the name of the image.
func (r *release) manifests(context.Context) error {
	kubernetes := filepath.Join(r.root, "packaging", "kubernetes")
	for _, name := range []string{"weft.yml", "weft-uninstall.yml"} {
		text, err := os.ReadFile(filepath.Join(kubernetes, name))
		if err != nil {
			return err
		}
		if !imageLine.Match(text) {
			return fmt.Errorf("%s names no image", name)
		}
		text = imageLine.ReplaceAllLiteral(text, fmt.Appendf(nil, "image: %q", r.imageName()))
		if err := writeFile(r.result(name), text); err != nil {
			return err
		}
	}
	return r.chart(filepath.Join(kubernetes, "chart", "weft"))
}

// chart writes the chart with this version, of the chart and of the image, and the registry.
func (r *release) chart(dir string) error {
	edits := []struct{ file, line, value string }{
		{"Chart.yaml", "version: ", strings.TrimPrefix(r.version, "v")},
		{"Chart.yaml", "appVersion: ", r.version},
		{"values.yaml", "    registry: ", fmt.Sprintf("%q", r.registry)},
	}
	err := os.CopyFS(filepath.Join(r.work, "chart"), os.DirFS(dir))
	if err != nil {
		return err
	}
	dir = filepath.Join(r.work, "chart")
	for _, e := range edits {
		file := filepath.Join(dir, e.file)
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		line := regexp.MustCompile(`(?m)^` + e.line + `\S*`)
		if len(line.FindAll(text, -1)) != 1 {
			return fmt.Errorf("%s of the chart must have one line %q", e.file, e.line)
		}
		text = line.ReplaceAllLiteral(text, []byte(e.line+e.value))
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return err
		}
	}
	return r.writeTarball(r.result("weft-chart.tgz"), "weft", os.DirFS(dir))
}
