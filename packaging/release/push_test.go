package main

import (
	"io"
	"log"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// TestPush pushes the image to a real registry, where it must be there for both architectures.
func TestPush(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	t.Setenv("DOCKER_CONFIG", t.TempDir()) // no credentials
	r := &release{
		work: t.TempDir(), out: t.TempDir(), version: "v1.2.3", arches: strings.Split(allArches, ","), date: time.Unix(0, 0),
		registry: strings.TrimPrefix(server.URL, "http://") + "/team", push: true,
	}
	for _, arch := range r.arches {
		for _, program := range programs {
			if err := writeFile(filepath.Join(r.stage(arch), program), []byte(program+" for "+arch)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.image(t.Context()); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(r.registry + "/weft:v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(tag)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var arches []string
	for _, m := range manifest.Manifests {
		arches = append(arches, m.Platform.Architecture)
	}
	if !slices.Equal(arches, packageArches) {
		t.Errorf("the registry has the image for %v, want %v", arches, packageArches)
	}
}

// TestPackageVersion has what git describe prints, and what dpkg and rpm order as git does.
func TestPackageVersion(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3":                    "1.2.3",
		"v1.2.3-rc.1":               "1.2.3~rc.1",
		"v1.2.3-4-g1234567":         "1.2.3+4.g1234567",
		"v1.2.3-4-g1234567-dirty":   "1.2.3+4.g1234567.dirty",
		"v1.2.3-rc.1-4-g1234567":    "1.2.3~rc.1+4.g1234567",
		"v0.1.0-dev.g1234567":       "0.1.0~dev.g1234567",
		"v0.1.0-dev.g1234567-dirty": "0.1.0~dev.g1234567+dirty",
		"v1.2.3-dirty":              "1.2.3+dirty",
	} {
		if got := packageVersion(version); got != want {
			t.Errorf("%s becomes %s, want %s", version, got, want)
		}
	}
}
