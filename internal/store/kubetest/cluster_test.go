package kubetest_test

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/weft-net/weft/internal/store/kubetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a control plane for the test.
func start(t *testing.T) *kubetest.Cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "kube") // t.TempDir is too long for a socket
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
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

// TestControlPlane goes through what tests rely on, on one control plane: a start takes seconds.
func TestControlPlane(t *testing.T) {
	c := start(t)
	version, err := c.Client.Discovery().ServerVersion()
	if err != nil || !strings.Contains(goMod(t), "\tk8s.io/kubernetes "+version.GitVersion+" ") {
		t.Errorf("the API server says it is %v (%v), not as in test/kube/go.mod", version, err)
	}
	t.Run("PodCIDRs", func(t *testing.T) { givesPodCIDRs(t, c) })
	t.Run("users", func(t *testing.T) { limitsUsers(t, c) })
	t.Run("outage", func(t *testing.T) { comesBack(t, c) })
}

func goMod(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../test/kube/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func givesPodCIDRs(t *testing.T, c *kubetest.Cluster) {
	v4, v6 := netip.MustParsePrefix("10.244.0.0/16"), netip.MustParsePrefix("fd00:244::/48")
	if err := c.StartControllers(v4, v6); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AddNode(t.Context(), "n1"); err != nil {
		t.Fatal(err)
	}
	node, err := c.AwaitPodCIDR(t.Context(), "n1")
	if err != nil {
		t.Fatal(err)
	}
	if got := node.Spec.PodCIDRs; len(got) != 2 || !v4.Overlaps(netip.MustParsePrefix(got[0])) || !v6.Overlaps(netip.MustParsePrefix(got[1])) {
		t.Errorf("PodCIDRs %v, want one of %s and one of %s", got, v4, v6)
	}
}

func limitsUsers(t *testing.T, c *kubetest.Cluster) {
	mayGet := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get"}}
	file, err := c.AddUser(t.Context(), "reader", mayGet)
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	nodes := client.CoreV1().Nodes()
	if _, err := nodes.Get(t.Context(), "n1", metav1.GetOptions{}); err != nil {
		t.Errorf("what the user may do: %v", err)
	}
	if err := nodes.Delete(t.Context(), "n1", metav1.DeleteOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("what the user may not do: %v, want Forbidden", err)
	}
}

func comesBack(t *testing.T, c *kubetest.Cluster) {
	nodes := c.Client.CoreV1().Nodes()
	if err := c.StopAPI(); err != nil {
		t.Fatal(err)
	}
	if _, err := nodes.Get(t.Context(), "n1", metav1.GetOptions{}); err == nil {
		t.Error("a stopped API server answered")
	}
	if err := c.StartAPI(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := nodes.Get(t.Context(), "n1", metav1.GetOptions{}); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if err := c.RemoveNodes(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := nodes.Get(t.Context(), "n1", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a removed node: %v, want NotFound", err)
	}
}
