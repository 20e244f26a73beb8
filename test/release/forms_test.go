package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestSameBytesTwice compares two runs by their checksums, and holds that these are of all files and right.
func TestSameBytesTwice(t *testing.T) {
	sums := string(read(t, made(t, once, "SHA256SUMS")))
	if others := string(read(t, made(t, again, "SHA256SUMS"))); sums != others {
		t.Errorf("the first run wrote\n%sthe second\n%s", sums, others)
	}
	files, err := os.ReadDir(filepath.Dir(made(t, once, "SHA256SUMS")))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() == "SHA256SUMS" {
			continue
		}
		line := fmt.Sprintf("%x  %s\n", sha256.Sum256(read(t, made(t, once, f.Name()))), f.Name())
		if !strings.Contains(sums, line) {
			t.Errorf("SHA256SUMS has no line %s", line)
		}
	}
	if len(files) < 8 {
		t.Errorf("the release has only %d files", len(files))
	}
}

// untar returns the regular files of an archive by name, and holds that none names a user of this machine.
func untar(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(data)
	if z, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
		r = z
	}
	out := map[string][]byte{}
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Uname != "" && h.Uname != "root" {
			t.Errorf("%s belongs to %d (%s)", h.Name, h.Uid, h.Uname)
		}
		if h.Typeflag == tar.TypeReg {
			if out[h.Name], err = io.ReadAll(archive); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestTarball(t *testing.T) {
	name := "weft-" + former + "-linux-" + runtime.GOARCH
	files := untar(t, read(t, made(t, once, name+".tar.gz")))
	for _, want := range []string{
		"weft", "weft-cni", "LICENSE", "README.md", "systemd/weft.service", "systemd/weft.env", "supervisord/weft.ini",
		"monitoring/weft-alerts.yml", "monitoring/weft-dashboard.json",
		"man/weft.1", "man/weft-up.1", "completion/weft.bash", "completion/_weft", "completion/weft.fish",
	} {
		if len(files[path.Join(name, want)]) == 0 {
			t.Errorf("the tarball has no %s", want)
		}
	}
	weft := filepath.Join(t.TempDir(), "weft")
	if err := os.WriteFile(weft, files[path.Join(name, "weft")], 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(weft, "version").Output(); err != nil || !strings.HasPrefix(string(out), "weft "+former+" ") {
		t.Errorf("weft version prints %q: %v", out, err)
	}
	if text := string(files[path.Join(name, "man/weft-up.1")]); !strings.Contains(text, "etcd-endpoints") || !strings.Contains(text, former) {
		t.Error("the manual page of 'weft up' does not name its flags or its version")
	}
}

// TestImage follows the image's archive from its index to the layer's files.
func TestImage(t *testing.T) {
	files := untar(t, read(t, made(t, once, "weft-"+former+"-image.tar")))
	type descriptor struct {
		Digest, MediaType string
		Platform          struct{ Architecture, OS string }
		Annotations       map[string]string
	}
	follow := func(d descriptor, into any) []byte {
		data := files["blobs/"+strings.Replace(d.Digest, ":", "/", 1)]
		if sum := fmt.Sprintf("sha256:%x", sha256.Sum256(data)); sum != d.Digest {
			t.Fatalf("the archive has another blob than %s: %s", d.Digest, sum)
		}
		if into != nil {
			if err := json.Unmarshal(data, into); err != nil {
				t.Fatal(err)
			}
		}
		return data
	}
	var top, index struct{ Manifests []descriptor }
	if err := json.Unmarshal(files["index.json"], &top); err != nil || len(top.Manifests) != 1 {
		t.Fatalf("index.json: %v\n%s", err, files["index.json"])
	}
	if name := top.Manifests[0].Annotations["io.containerd.image.name"]; name != "docker.io/library/weft:"+former {
		t.Errorf("the image's name is %q", name)
	}
	follow(top.Manifests[0], &index)
	if len(index.Manifests) != 1 || index.Manifests[0].Platform.Architecture != runtime.GOARCH {
		t.Fatalf("the index has %+v", index.Manifests)
	}
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	follow(index.Manifests[0], &manifest)
	var config struct {
		Architecture string
		Config       struct{ Entrypoint, Cmd []string }
	}
	follow(manifest.Config, &config)
	if config.Architecture != runtime.GOARCH || !slices.Equal(config.Config.Entrypoint, []string{"/weft"}) || !slices.Equal(config.Config.Cmd, []string{"up"}) {
		t.Errorf("the image's config is %+v", config)
	}
	if len(manifest.Layers) != 1 {
		t.Fatalf("%d layers", len(manifest.Layers))
	}
	programs := untar(t, follow(manifest.Layers[0], nil))
	if len(programs) != 2 || len(programs["weft"]) == 0 || len(programs["weft-cni"]) == 0 {
		t.Errorf("the image has %d files, want weft and weft-cni", len(programs))
	}
}

func TestBillOfMaterials(t *testing.T) {
	var bom struct {
		BOMFormat  string
		Metadata   struct{ Component struct{ Version string } }
		Components []struct{ Name, Version, PURL string }
	}
	if err := json.Unmarshal(read(t, made(t, once, "*.cdx.json")), &bom); err != nil {
		t.Fatal(err)
	}
	if bom.BOMFormat != "CycloneDX" || bom.Metadata.Component.Version != former {
		t.Errorf("got %s of version %s", bom.BOMFormat, bom.Metadata.Component.Version)
	}
	var names []string
	for _, c := range bom.Components {
		names = append(names, c.Name)
		if c.Version == "" || c.PURL != "pkg:golang/"+c.Name+"@"+c.Version {
			t.Errorf("component %+v", c)
		}
	}
	for _, want := range []string{"std", "github.com/spf13/cobra", "go.etcd.io/etcd/server/v3"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not named", want)
		}
	}
}

// TestRPM holds that the RPM has the same files and scripts as the .deb.
func TestRPM(t *testing.T) {
	file := made(t, once, "weft-*.rpm")
	query := func(flags ...string) string {
		out, err := exec.Command("rpm", append(append([]string{"--query", "--package"}, flags...), file)...).Output()
		if err != nil {
			t.Fatalf("rpm --query %v: %v", flags, err)
		}
		return string(out)
	}
	if v := query("--queryformat", "%{NAME} %{VERSION}-%{RELEASE}"); v != "weft 0.9.0-1" {
		t.Errorf("it is %s", v)
	}
	for _, script := range []string{"postinstall", "preremove", "postremove"} {
		if text := string(read(t, filepath.Join("..", "..", "packaging", "scripts", script))); !strings.Contains(query("--scripts"), strings.TrimSpace(text)) {
			t.Errorf("it has not the script %s", script)
		}
	}
	out, err := exec.Command("dpkg-deb", "--fsys-tarfile", made(t, once, "weft_*.deb")).Output()
	if err != nil {
		t.Fatal(err)
	}
	list := query("--list")
	for name := range untar(t, out) {
		name = strings.TrimPrefix(name, ".")
		if !strings.Contains(list, name+"\n") && !strings.Contains(name, "/zsh/") {
			t.Errorf("the .deb has %s, the .rpm has not", name)
		}
	}
}
