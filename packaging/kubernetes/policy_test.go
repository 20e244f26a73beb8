package kubernetes

import (
	"context"
	"fmt"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/weft-net/weft/internal/store/kubetest"
)

// TestAgentsChangeTheirOwnNodeOnly has an agent's token, as a kubelet gets it for the pod, try what
// whoever stole it would.
func TestAgentsChangeTheirOwnNodeOnly(t *testing.T) {
	c := startCluster(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := kubectl(ctx, c, "", "apply", "-f", "weft.yml"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"n1", "n2"} {
		if _, err := c.AddNode(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	agent := agentOn(ctx, t, c, "n1")
	awaitPolicy(ctx, t, agent)
	if err := annotate(ctx, agent, "n1"); err != nil {
		t.Errorf("its own node: %v", err)
	}
	if err := annotate(ctx, agent, "n2"); !apierrors.IsForbidden(err) {
		t.Errorf("another node: error %v, want it to be forbidden", err)
	}
	if err := annotate(ctx, c.Client, "n2"); err != nil {
		t.Errorf("somebody else is kept from it, too: %v", err)
	}
	for what, err := range map[string]error{
		"read secrets":      listSecrets(ctx, agent),
		"change its labels": patch(ctx, agent, "n1", `{"metadata": {"labels": {"a": "b"}}}`),
		"delete its node":   agent.CoreV1().Nodes().Delete(ctx, "n1", metav1.DeleteOptions{}),
		"read pods":         listPods(ctx, agent),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: error %v, want it to be forbidden", what, err)
		}
	}
}

// agentOn is a client with the token of the agent's pod on a node.
func agentOn(ctx context.Context, t *testing.T, c *kubetest.Cluster, node string) kubernetes.Interface {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "weft-" + node, Namespace: "weft"},
		Spec: corev1.PodSpec{
			NodeName: node, ServiceAccountName: "weft",
			Containers: []corev1.Container{{Name: "weft", Image: "weft"}},
		},
	}
	pod, err := c.Client.CoreV1().Pods("weft").Create(ctx, pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID},
	}}
	token, err := c.Client.CoreV1().ServiceAccounts("weft").CreateToken(ctx, "weft", request, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config := rest.AnonymousClientConfig(c.Config)
	config.BearerToken = token.Status.Token
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// awaitPolicy returns when the API server, which takes policies in a moment after they are made,
// goes by weft's.
func awaitPolicy(ctx context.Context, t *testing.T, agent kubernetes.Interface) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := annotate(ctx, agent, "n2")
		if apierrors.IsForbidden(err) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("an agent may change another node: %v", err)
		case <-ticker.C:
		}
	}
}

func annotate(ctx context.Context, client kubernetes.Interface, node string) error {
	return patch(ctx, client, node, `{"metadata": {"annotations": {"flannel.alpha.coreos.com/public-ip": "10.0.0.1"}}}`, "status")
}

func patch(ctx context.Context, client kubernetes.Interface, node, document string, subresources ...string) error {
	_, err := client.CoreV1().Nodes().Patch(ctx, node, types.StrategicMergePatchType, []byte(document), metav1.PatchOptions{}, subresources...)
	if err != nil {
		return fmt.Errorf("patch %s: %w", node, err)
	}
	return nil
}

func listSecrets(ctx context.Context, client kubernetes.Interface) error {
	_, err := client.CoreV1().Secrets("weft").List(ctx, metav1.ListOptions{})
	return err
}

func listPods(ctx context.Context, client kubernetes.Interface) error {
	_, err := client.CoreV1().Pods("weft").List(ctx, metav1.ListOptions{})
	return err
}
