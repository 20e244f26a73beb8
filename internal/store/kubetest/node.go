package kubetest

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AddNode makes a Node as a kubelet registers it. Without podCIDRs it has none
// until a controller (see StartControllers) gives it some.
func (c *Cluster) AddNode(ctx context.Context, name string, podCIDRs ...netip.Prefix) (*corev1.Node, error) {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
		corev1.LabelHostname: name, corev1.LabelOSStable: "linux",
	}}}
	for _, p := range podCIDRs {
		node.Spec.PodCIDRs = append(node.Spec.PodCIDRs, p.String())
	}
	if len(podCIDRs) > 0 {
		node.Spec.PodCIDR = node.Spec.PodCIDRs[0]
	}
	node, err := c.Client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("make the node %s: %w", name, err)
	}
	return node, nil
}

// RemoveNodes deletes every node of the cluster, for the next test.
func (c *Cluster) RemoveNodes(ctx context.Context) error {
	if err := c.Client.CoreV1().Nodes().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		return fmt.Errorf("delete every node: %w", err)
	}
	return nil
}

// AwaitPodCIDR returns the node when it has a PodCIDR.
func (c *Cluster) AwaitPodCIDR(ctx context.Context, name string) (*corev1.Node, error) {
	var node *corev1.Node
	err := c.await(ctx, c.controllers, func(ctx context.Context) (err error) {
		node, err = c.Client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err == nil && len(node.Spec.PodCIDRs) == 0 {
			err = fmt.Errorf("node %s has no PodCIDR", name)
		}
		return err
	})
	return node, err
}
