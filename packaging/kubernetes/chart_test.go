// Package kubernetes is what installs weft on Kubernetes: a chart, manifests
// rendered from it, and an image's Dockerfile. It holds no code, only the tests of these.
package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/weft-net/weft/test/programs"
)

var update = flag.Bool("update", false, "write the manifests anew")

const chart = "chart/weft"

// helm runs the real helm command, without a cluster unless flags name one.
func helm(ctx context.Context, flags ...string) (out string, err error) {
	dir, err := programs.Helm.Dir(ctx)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "helm"), flags...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("helm %s: %w\n%s", strings.Join(flags, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// render is the chart as text, with values given as YAML.
func render(ctx context.Context, dir, values string, flags ...string) (string, error) {
	file := filepath.Join(dir, "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		return "", err
	}
	return helm(ctx, append([]string{"template", "weft", chart, "--namespace=weft", "--values=" + file}, flags...)...)
}

// object returns the rendered object of a kind and of the name weft.
func object[T any](t *testing.T, rendered, kind string) T {
	t.Helper()
	for document := range strings.SplitSeq(rendered, "\n---\n") {
		var is struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if err := yaml.Unmarshal([]byte(document), &is); err != nil {
			t.Fatalf("not YAML: %v\n%s", err, document)
		}
		if is.Kind != kind || is.Metadata.Name != "weft" {
			continue
		}
		var o T
		if err := yaml.UnmarshalStrict([]byte(document), &o); err != nil {
			t.Fatalf("%s: %v\n%s", kind, err, document)
		}
		return o
	}
	t.Fatalf("there is no %s in\n%s", kind, rendered)
	panic("unreachable")
}

func mustRender(t *testing.T, values string, flags ...string) string {
	t.Helper()
	out, err := render(t.Context(), t.TempDir(), values, flags...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestOneImage holds that the chart, the manifest, `make image` and the guides name one image, also in a registry.
func TestOneImage(t *testing.T) {
	for _, registry := range []string{"", "registry.example/team"} {
		agent := object[appsv1.DaemonSet](t, mustRender(t, "", "--set=weft.image.registry="+registry), "DaemonSet")
		image := agent.Spec.Template.Spec.Containers[0].Image
		if !strings.HasPrefix(image, path.Join(registry, "weft:v")) {
			t.Errorf("in registry %q the image is %s", registry, image)
		}
		made, err := exec.Command("make", "--dry-run", "--directory=../..", "image", "REGISTRY="+registry).CombinedOutput()
		if err != nil || !strings.Contains(string(made), "docker build --tag "+image+" -") {
			t.Errorf("make builds another image than %s: %v\n%s", image, err, made)
		}
		if registry != "" {
			continue
		}
		for _, guide := range []string{"../../README.md", "../../docs/guides/kubernetes.md"} {
			text, err := os.ReadFile(guide)
			if err != nil || !strings.Contains(string(text), image) {
				t.Errorf("%s does not name the image %s: %v", guide, image, err)
			}
		}
	}
}

// TestManifests holds that the manifests are what the chart says.
func TestManifests(t *testing.T) {
	for name, flags := range map[string][]string{
		"weft.yml":           {"--set=weft.createNamespace=true"},
		"weft-uninstall.yml": {"--set=weft.uninstall=true", "--show-only=templates/daemonset.yaml"},
	} {
		want := mustRender(t, "", flags...)
		if *update {
			if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		have, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if string(have) != want {
			t.Errorf("%s is not what the chart says; `make manifests` writes it anew", name)
		}
	}
}

// TestContainersMayDoLittle holds that no container may do more than change
// the network and write what is mounted.
func TestContainersMayDoLittle(t *testing.T) {
	for _, values := range []string{"", "weft: {uninstall: true}"} {
		pod := object[appsv1.DaemonSet](t, mustRender(t, values), "DaemonSet").Spec.Template.Spec
		containers := append(pod.InitContainers, pod.Containers...)
		if len(containers) < 2 {
			t.Errorf("%d containers were found", len(containers))
		}
		for _, c := range containers {
			s := c.SecurityContext
			if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem ||
				s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.Privileged != nil {
				t.Errorf("%s: security context %+v", c.Name, s)
				continue
			}
			added := fmt.Sprint(s.Capabilities.Add)
			if fmt.Sprint(s.Capabilities.Drop) != "[ALL]" || added != "[]" && added != "[NET_ADMIN NET_RAW]" {
				t.Errorf("%s: capabilities %+v", c.Name, s.Capabilities)
			}
		}
	}
}

// configs returns both documents of the rendered ConfigMap.
func configs(t *testing.T, rendered string) (netConf, cniConf []byte) {
	t.Helper()
	data := object[corev1.ConfigMap](t, rendered, "ConfigMap").Data
	for name, text := range data {
		if !json.Valid([]byte(text)) {
			t.Errorf("%s is not JSON:\n%s", name, text)
		}
	}
	return []byte(data["net-conf.json"]), []byte(data["cni-conf.json"])
}
