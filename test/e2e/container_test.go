package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/test/programs"
)

// kubernetesDir has the manifests.
var kubernetesDir = filepath.Join("..", "..", "packaging", "kubernetes")

// node HOST: start dockerd and load weft's image there, for the pods of manifests. The pods' subnet
// file and socket are where those of the host's own agent would be.
func cmdNode(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 1, "node HOST")
	w := worldOf(ts)
	ctx, cancel := context.WithTimeout(w.ctx, startLimit)
	defer cancel()
	h := w.host(ts, args[0])
	if w.image == "" {
		image, err := buildImage(ctx, w.tb.TempDir())
		ts.Check(err)
		w.image = image
	}
	process, err := startNode(ctx, h, w.image)
	ts.Check(err)
	w.dockers[h.Name] = process
}

// init-containers HOST MANIFEST: run those of the manifest's pod, and print what they do.
func cmdInitContainers(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 2, "init-containers HOST MANIFEST")
	w := worldOf(ts)
	p, err := manifestPod(w.host(ts, args[0]), args[1])
	ts.Check(err)
	out, err := p.initialize(w.ctx)
	ts.Check(err)
	_, err = ts.Stdout().Write([]byte(out))
	ts.Check(err)
}

// agent-container HOST [without=VOLUME] [FLAG...]: start that of weft.yml, with these flags, and do not wait.
func cmdAgentContainer(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, unlimited, "agent-container HOST [without=VOLUME] [FLAG...]")
	w := worldOf(ts)
	p, err := manifestPod(w.host(ts, args[0]), "weft.yml")
	ts.Check(err)
	c, flags := p.spec.Containers[0], args[1:]
	if len(flags) > 0 && strings.HasPrefix(flags[0], "without=") {
		c.VolumeMounts = slices.DeleteFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return "without="+m.Name == flags[0] })
		flags = flags[1:]
	}
	c.Args = flags
	ts.Check(p.start(w.ctx, c))
}

// noNetwork keeps Docker from the node's network, as it is with runtimes of Kubernetes.
const noNetwork = `{"bridge": "none", "iptables": false, "ip-forward": false}`

// manifestImage is the image that the manifests name.
const manifestImage = "weft:v0.1.0"

// startNode makes a node of a host, on which Docker stands in for the kubelet; image is the archive of weft's image.
func startNode(ctx context.Context, h *lab.Host, image string) (*lab.Process, error) {
	if err := os.MkdirAll(filepath.Dir(h.DaemonJSON()), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(h.DaemonJSON(), []byte(noNetwork), 0o600); err != nil {
		return nil, err
	}
	docker, err := h.StartDocker(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := h.Run(ctx, "docker", "load", "--input", image); err != nil {
		return docker, err
	}
	if err := os.Symlink(filepath.Join(rootOf(h), "run", "flannel", "subnet.env"), h.SubnetFile()); err != nil {
		return docker, err
	}
	return docker, os.Symlink(filepath.Join(rootOf(h), "run", "weft"), h.RunDir())
}

// rootOf is the directory that stands for a node's / where pods mount something of it.
func rootOf(h *lab.Host) string { return filepath.Join(h.Dir(), "root") }

// buildImage builds the image as `make image` does and returns its archive.
func buildImage(ctx context.Context, dir string) (string, error) {
	programs, err := programs.Release.Dir(ctx)
	if err != nil {
		return "", err
	}
	_, version, _ := strings.Cut(manifestImage, ":")
	build := exec.CommandContext(ctx, filepath.Join(programs, "release"), "-root=../..", "-out="+dir, "-formats=image", "-arches="+runtime.GOARCH, "-version="+version)
	build.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build weft's image: %w\n%s", err, out)
	}
	return filepath.Join(dir, "weft-"+version+"-image.tar"), nil
}

// manifestPod is the pod of a manifest's DaemonSet on a host, with the config of weft.yml.
func manifestPod(h *lab.Host, manifest string) (pod, error) {
	p := pod{node: h, configs: func(name string) (map[string]string, error) {
		c, err := readObject[corev1.ConfigMap]("weft.yml", "ConfigMap")
		if err == nil && c.Name != name {
			err = fmt.Errorf("weft.yml has no ConfigMap %s", name)
		}
		return c.Data, err
	}}
	set, err := readObject[appsv1.DaemonSet](manifest, "DaemonSet")
	p.spec = set.Spec.Template.Spec
	return p, err
}

// readObject returns the object of a kind in a manifest.
func readObject[T any](manifest, kind string) (o T, err error) {
	text, err := os.ReadFile(filepath.Join(kubernetesDir, manifest))
	if err != nil {
		return o, err
	}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		if strings.Contains(document, "\nkind: "+kind+"\n") {
			return o, yaml.Unmarshal([]byte(document), &o)
		}
	}
	return o, fmt.Errorf("%s has no %s", manifest, kind)
}
