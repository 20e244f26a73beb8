package kubernetes

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/weft-net/weft/internal/store/kubetest"
	"github.com/weft-net/weft/test/programs"
)

// startCluster runs a control plane for the test.
func startCluster(t *testing.T) *kubetest.Cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "chart") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c, err := kubetest.Start(t.Context(), kubetest.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("end the control plane: %v", err)
		}
	})
	return c
}

// kubectl runs the real one, with input.
func kubectl(ctx context.Context, c *kubetest.Cluster, input string, flags ...string) (string, error) {
	dir, err := programs.Kube.Dir(ctx)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "kubectl"), append([]string{"--kubeconfig=" + c.Kubeconfig()}, flags...)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w\n%s", strings.Join(flags, " "), err, out)
	}
	return string(out), nil
}

// TestAPIServerTakesIt gives the real API server what the chart renders and the manifests, by the
// real helm and kubectl. What they install they also remove.
func TestAPIServerTakesIt(t *testing.T) {
	c := startCluster(t)
	before := ours(t, c)
	t.Run("manifests", func(t *testing.T) { takesManifests(t, c) })
	expectNothingLeft(t, c, before)
	t.Run("chart", func(t *testing.T) { takesChart(t, c) })
	expectNothingLeft(t, c, before)
}

func takesManifests(t *testing.T, c *kubetest.Cluster) {
	for i, flags := range [][]string{
		{"apply", "-f", "weft.yml"},
		{"apply", "-f", "weft.yml"}, // again
		{"apply", "-f", "weft-uninstall.yml"},
		{"delete", "-f", "weft.yml", "--wait=false"}, // nobody finalizes namespaces here
	} {
		out, err := kubectl(t.Context(), c, "", flags...)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.ToLower(out), "warning") {
			t.Errorf("kubectl %s:\n%s", strings.Join(flags, " "), out)
		}
		if again := i == 1; again && strings.Contains(out, " configured") {
			t.Errorf("the manifest changes when it is applied again:\n%s", out)
		}
	}
}

func takesChart(t *testing.T, c *kubetest.Cluster) {
	ctx, dir := t.Context(), t.TempDir()
	cluster := []string{"--kubeconfig=" + c.Kubeconfig(), "--namespace=net"}
	if _, err := kubectl(ctx, c, "", "create", "namespace", "net"); err != nil {
		t.Fatal(err)
	}
	for _, values := range combinations() {
		rendered, err := render(ctx, dir, values)
		if err != nil {
			t.Fatal(err)
		}
		rendered = strings.ReplaceAll(rendered, "namespace: weft\n", "namespace: net\n")
		out, err := kubectl(ctx, c, rendered, "apply", "--dry-run=server", "--validate=strict", "-f", "-")
		if err != nil {
			t.Errorf("%s\n%v", values, err)
		}
		if strings.Contains(strings.ToLower(out), "warning") {
			t.Errorf("%s\n%s", values, out)
		}
	}
	if _, err := helm(ctx, slices.Concat([]string{"install", "weft", chart}, cluster)...); err != nil {
		t.Fatal(err)
	}
	for _, set := range []string{"flannel.backend=host-gw", "flannel.healthz.port=8082", "weft.uninstall=true"} {
		if _, err := helm(ctx, slices.Concat([]string{"upgrade", "weft", chart, "--set=" + set}, cluster)...); err != nil {
			t.Error(err)
		}
	}
	if _, err := helm(ctx, slices.Concat([]string{"uninstall", "weft"}, cluster)...); err != nil {
		t.Error(err)
	}
	if err := c.Client.CoreV1().Namespaces().Delete(ctx, "net", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}

// combinations are values that differ in which parts of the chart they use.
func combinations() (all []string) {
	for _, n := range networks {
		all = append(all, n.values)
	}
	return append(all,
		"weft: {cni: weft}",
		"weft: {uninstall: true}",
		"weft: {maxUnavailable: 1, installCapabilities: [DAC_OVERRIDE], ownNodeOnly: false}",
		"flannel: {skipCNIConfigInstallation: true, healthz: {port: 0}}",
		"flannel: {resources: null, tolerations: null, nodeSelector: null, args: []}",
		`global: {imagePullSecrets: null}`,
	)
}

// ours lists the objects of the kinds that the chart makes, namespaces aside: the tests' control plane
// does not remove these.
func ours(t *testing.T, c *kubetest.Cluster) []string {
	t.Helper()
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, kind := range []schema.GroupVersionResource{
		{Version: "v1", Resource: "configmaps"},
		{Version: "v1", Resource: "serviceaccounts"},
		{Version: "v1", Resource: "secrets"}, // helm's releases
		{Group: "apps", Version: "v1", Resource: "daemonsets"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicybindings"},
	} {
		list, err := client.Resource(kind).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		err = list.EachListItem(func(o runtime.Object) error {
			m := o.(*unstructured.Unstructured)
			all = append(all, kind.Resource+" "+m.GetNamespace()+"/"+m.GetName())
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func expectNothingLeft(t *testing.T, c *kubetest.Cluster, before []string) {
	t.Helper()
	for _, name := range ours(t, c) {
		if !slices.Contains(before, name) && strings.Contains(name, "weft") {
			t.Errorf("%s is left", name)
		}
	}
}
