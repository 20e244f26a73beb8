// Package kubernetes is what installs weft on Kubernetes: a chart, and manifests
// rendered from it. It holds no code, only the tests of these.
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
	"slices"
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

// TestOneImage holds that manifests and chart of a release name the image that the same run of make builds, also
// in a registry, and that the guides have the commands.
func TestOneImage(t *testing.T) {
	for _, registry := range []string{"", "registry.example/team"} {
		want := path.Join(registry, "weft") + ":v9.8.7"
		out := t.TempDir()
		made := releaseFlags(t, "image", "REGISTRY="+registry, "VERSION=v9.8.7")
		writeRelease(t, append(made, "-out", out, "-formats", "manifest")...)
		manifest, err := os.ReadFile(filepath.Join(out, "weft.yml"))
		if err != nil {
			t.Fatal(err)
		}
		chart, err := helm(t.Context(), "template", "weft", filepath.Join(out, "weft-chart.tgz"), "--namespace=weft")
		if err != nil {
			t.Fatal(err)
		}
		for what, text := range map[string]string{"manifest": string(manifest), "chart": chart} {
			for _, c := range object[appsv1.DaemonSet](t, text, "DaemonSet").Spec.Template.Spec.Containers {
				if c.Image != want {
					t.Errorf("in registry %q the %s names %s, want %s", registry, what, c.Image, want)
				}
			}
		}
	}
	for _, guide := range []string{"../../README.md", "../../docs/guides/kubernetes.md"} {
		text, err := os.ReadFile(guide)
		for _, command := range []string{"make push REGISTRY=registry.example\n", "kubectl apply -f dist/weft.yml\n"} {
			if err != nil || !strings.Contains(string(text), command) {
				t.Errorf("%s does not say %q: %v", guide, command, err)
			}
		}
	}
}

// releaseFlags are those with which a target of make starts the release program, without the target's formats.
func releaseFlags(t *testing.T, target string, variables ...string) []string {
	t.Helper()
	out, err := exec.Command("make", append([]string{"--dry-run", "--no-print-directory", "--directory=../..", target}, variables...)...).Output()
	_, flags, found := strings.Cut(strings.TrimSpace(string(out)), "packaging/release . ")
	if err != nil || !found {
		t.Fatalf("make %s does not start the release program: %v\n%s", target, err, out)
	}
	return strings.Fields(flags)
}

func writeRelease(t *testing.T, flags ...string) {
	t.Helper()
	dir, err := programs.Release.Dir(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "release"), flags...)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
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

// TestDefaultContainer holds that kubectl exec and logs need no --container, and do not say which of several they take.
func TestDefaultContainer(t *testing.T) {
	for _, values := range []string{"", "weft: {uninstall: true}"} {
		template := object[appsv1.DaemonSet](t, mustRender(t, values), "DaemonSet").Spec.Template
		name := template.Annotations["kubectl.kubernetes.io/default-container"]
		if !slices.ContainsFunc(template.Spec.Containers, func(c corev1.Container) bool { return c.Name == name }) {
			t.Errorf("%q: the default container is %q, which is none of the pod's", values, name)
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
