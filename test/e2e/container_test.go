package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/weft-net/weft/internal/lab"
)

// kubernetesDir has the manifests and the Dockerfile.
var kubernetesDir = filepath.Join("..", "..", "packaging", "kubernetes")

// node is a host of the lab on which Docker stands in for the kubelet: it runs the containers of a
// pod as a manifest describes them. What the pod mounts from its node lies in a directory of the
// lab's, but for the kernel's own.
type node struct {
	*lab.Host
	root string // in place of the node's /
}

func nodeOf(h *lab.Host) node { return node{h, filepath.Join(h.Dir(), "root")} }

// node HOST: start dockerd and build weft's image there, for the pods of manifests. The pods' subnet
// file and socket are where those of the host's own agent would be.
func cmdNode(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 1, "node HOST")
	w := worldOf(ts)
	ctx, cancel := context.WithTimeout(w.ctx, startLimit)
	defer cancel()
	h := w.host(ts, args[0])
	if w.image == "" {
		w.image = w.tb.TempDir()
		ts.Check(buildContext(ctx, w.image))
	}
	ts.Check(os.MkdirAll(filepath.Dir(h.DaemonJSON()), 0o755))
	ts.Check(os.WriteFile(h.DaemonJSON(), []byte(noNetwork), 0o600))
	process, err := h.StartDocker(ctx)
	ts.Check(err)
	w.dockers[h.Name] = process
	_, err = h.Run(ctx, "docker", "build", "--tag", manifestImage, w.image)
	ts.Check(err)
	n := nodeOf(h)
	ts.Check(os.Symlink(filepath.Join(n.root, "run", "flannel", "subnet.env"), h.SubnetFile()))
	ts.Check(os.Symlink(filepath.Join(n.root, "run", "weft"), h.RunDir()))
}

// init-containers HOST MANIFEST: run those of the manifest's pod, and print what they do.
func cmdInitContainers(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 2, "init-containers HOST MANIFEST")
	w := worldOf(ts)
	n := nodeOf(w.host(ts, args[0]))
	pod, err := readPod(args[1])
	ts.Check(err)
	for _, c := range pod.InitContainers {
		options, err := n.dockerFlags(pod, c)
		ts.Check(err)
		out, err := n.Run(w.ctx, slices.Concat([]string{"docker", "run", "--rm"}, options, c.Args)...)
		ts.Check(err)
		_, err = ts.Stdout().Write([]byte(out))
		ts.Check(err)
	}
}

// agent-container HOST [without=VOLUME] [FLAG...]: start that of weft.yml, with these flags, and do not wait.
func cmdAgentContainer(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, unlimited, "agent-container HOST [without=VOLUME] [FLAG...]")
	w := worldOf(ts)
	n := nodeOf(w.host(ts, args[0]))
	pod, err := readPod("weft.yml")
	ts.Check(err)
	c, flags := pod.Containers[0], args[1:]
	if len(flags) > 0 && strings.HasPrefix(flags[0], "without=") {
		c.VolumeMounts = slices.DeleteFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return "without="+m.Name == flags[0] })
		flags = flags[1:]
	}
	options, err := n.dockerFlags(pod, c)
	ts.Check(err)
	_, err = n.Run(w.ctx, slices.Concat([]string{"docker", "run", "--detach"}, options, flags)...)
	ts.Check(err)
}

// noNetwork keeps Docker from the node's network, as it is with runtimes of Kubernetes.
const noNetwork = `{"bridge": "none", "iptables": false, "ip-forward": false}`

// manifestImage is the image that the manifests name.
const manifestImage = "weft:v0.1.0"

// readPod returns the pod of a manifest's DaemonSet.
func readPod(manifest string) (corev1.PodSpec, error) {
	text, err := os.ReadFile(filepath.Join(kubernetesDir, manifest))
	if err != nil {
		return corev1.PodSpec{}, err
	}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var set appsv1.DaemonSet
		if err := yaml.Unmarshal([]byte(document), &set); err == nil && set.Kind == "DaemonSet" {
			return set.Spec.Template.Spec, nil
		}
	}
	return corev1.PodSpec{}, fmt.Errorf("%s has no DaemonSet", manifest)
}

// buildContext builds the programs as `make image` does, and lays the Dockerfile beside them.
func buildContext(ctx context.Context, dir string) error {
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", dir, "./cmd/weft", "./cmd/weft-cni")
	build.Dir = filepath.Join("..", "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build weft for an image: %w\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(kubernetesDir, "Dockerfile"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "Dockerfile"), text, 0o644)
}

// dockerFlags are what docker run needs to know of a container of a pod, up to its image and command.
func (n node) dockerFlags(pod corev1.PodSpec, c corev1.Container) ([]string, error) {
	flags := []string{"--name=" + c.Name, "--entrypoint=" + c.Command[0]}
	given := func(yes bool, flag string) {
		if yes {
			flags = append(flags, flag)
		}
	}
	s := c.SecurityContext
	given(pod.HostNetwork, "--network=host")
	given(*s.ReadOnlyRootFilesystem, "--read-only")
	given(!*s.AllowPrivilegeEscalation, "--security-opt=no-new-privileges")
	for _, drop := range s.Capabilities.Drop {
		flags = append(flags, "--cap-drop="+string(drop))
	}
	for _, add := range s.Capabilities.Add {
		flags = append(flags, "--cap-add="+string(add))
	}
	for _, m := range c.VolumeMounts {
		source, err := n.volume(pod, m.Name)
		if err != nil {
			return nil, err
		}
		mode := map[bool]string{true: ":ro"}[m.ReadOnly]
		flags = append(flags, "--volume="+source+":"+m.MountPath+mode)
	}
	return slices.Concat(flags, []string{manifestImage}, c.Command[1:]), nil
}

// volume returns the directory that a volume of a pod has its files in.
func (n node) volume(pod corev1.PodSpec, name string) (string, error) {
	i := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == name })
	switch {
	case i < 0:
		return "", fmt.Errorf("the pod has no volume %s", name)
	case pod.Volumes[i].ConfigMap != nil:
		return n.configMap(pod.Volumes[i].ConfigMap.Name)
	}
	path := pod.Volumes[i].HostPath.Path
	if strings.HasPrefix(path, "/proc/") {
		return path, nil
	}
	dir := filepath.Join(n.root, path)
	return dir, os.MkdirAll(dir, 0o755)
}

// configMap writes one of weft.yml's into a directory.
func (n node) configMap(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(kubernetesDir, "weft.yml"))
	if err != nil {
		return "", err
	}
	dir := filepath.Join(n.root, "config")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var m corev1.ConfigMap
		if err := yaml.Unmarshal([]byte(document), &m); err != nil || m.Kind != "ConfigMap" || m.Name != name {
			continue
		}
		for file, text := range m.Data {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
				return "", err
			}
		}
		return dir, nil
	}
	return "", fmt.Errorf("weft.yml has no ConfigMap %s", name)
}
