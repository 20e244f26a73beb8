package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"testing/fstest"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// imageName is the image's name: [REGISTRY/]weft:VERSION.
func (r *release) imageName() string { return path.Join(r.registry, "weft") + ":" + r.version }

// image writes the image as an OCI layout in a tar, for 'ctr images import', podman and skopeo; with a single
// architecture 'docker load' reads it, too. With r.push it also pushes it.
func (r *release) image(ctx context.Context) error {
	ref, err := name.NewTag(r.imageName())
	if err != nil {
		return err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	images := map[string]v1.Image{}
	for _, arch := range r.packaged() {
		image, err := r.imageOf(arch)
		if err != nil {
			return fmt.Errorf("%s: %w", arch, err)
		}
		images[arch] = image
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	if err := r.writeImage(index, images, ref); err != nil {
		return err
	}
	if !r.push {
		return nil
	}
	if err := remote.WriteIndex(ref, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return fmt.Errorf("push %s: %w", r.imageName(), err)
	}
	fmt.Println("pushed", r.imageName())
	return nil
}

// imageOf is the image for one architecture: weft and its CNI plugin, and nothing else: no shell, no
// libraries, no other image below.
func (r *release) imageOf(arch string) (v1.Image, error) {
	var files bytes.Buffer
	programsAlone := fstest.MapFS{}
	for _, program := range programs {
		data, err := os.ReadFile(filepath.Join(r.stage(arch), program))
		if err != nil {
			return nil, err
		}
		programsAlone[program] = &fstest.MapFile{Data: data, Mode: 0o755}
	}
	if err := writeTar(&files, "", programsAlone, r.date); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.AppendLayers(image, layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: r.date}
	config.History = []v1.History{{Created: v1.Time{Time: r.date}, CreatedBy: "make release"}}
	config.Config = v1.Config{
		Entrypoint: []string{"/weft"}, Cmd: []string{"up"}, Env: []string{"PATH=/"},
		Labels: map[string]string{
			"org.opencontainers.image.title": "weft", "org.opencontainers.image.version": r.version,
			"org.opencontainers.image.source": "https://github.com/weft-net/weft", "org.opencontainers.image.licenses": "Apache-2.0",
		},
	}
	return mutate.ConfigFile(image, config)
}

// writeImage writes the layout with all images, and for Docker the list that 'docker save' writes.
func (r *release) writeImage(index v1.ImageIndex, images map[string]v1.Image, ref name.Tag) error {
	dir := filepath.Join(r.work, "image")
	place, err := layout.Write(dir, mutate.IndexMediaType(empty.Index, types.OCIImageIndex))
	if err != nil {
		return err
	}
	names := map[string]string{"io.containerd.image.name": ref.Name(), "org.opencontainers.image.ref.name": r.version}
	if r.registry == "" {
		names["io.containerd.image.name"] = "docker.io/library/" + r.imageName()
	}
	if err := place.AppendIndex(index, layout.WithAnnotations(names)); err != nil {
		return err
	}
	if len(images) == 1 {
		for _, image := range images {
			if err := r.writeDockerList(dir, image); err != nil {
				return err
			}
		}
	}
	return writeTo(r.result(r.name("image.tar")), func(w io.Writer) error { return writeTar(w, "", os.DirFS(dir), r.date) })
}

func (r *release) writeDockerList(dir string, image v1.Image) error {
	manifest, err := image.Manifest()
	if err != nil {
		return err
	}
	blob := func(h v1.Hash) string { return path.Join("blobs", h.Algorithm, h.Hex) }
	var layers []string
	for _, l := range manifest.Layers {
		layers = append(layers, blob(l.Digest))
	}
	list, err := json.Marshal([]map[string]any{{"Config": blob(manifest.Config.Digest), "RepoTags": []string{r.imageName()}, "Layers": layers}})
	return errors.Join(err, writeFile(filepath.Join(dir, "manifest.json"), list))
}
