package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/weft-net/weft/internal/store/kubetest"
)

// cluster is a control plane whose nodes are objects only, but for the one of
// the agent.
type cluster struct {
	*kubetest.Cluster
	*options
	dir    string
	n      int // how many nodes besides the agent's there are to be
	made   int // how many there are
	result *kubeResult

	world *world // of the present agent
	agent *agent
	run   string // its run directory
	took  time.Duration
}

// ownNode is the agent's.
const ownNode = "measured"

func (c *cluster) config() string { return filepath.Join(c.dir, "net-conf.json") }

// prepare writes the network config and makes the agent's node.
func (c *cluster) prepare(ctx context.Context) error {
	if err := os.WriteFile(c.config(), []byte(`{"Network":"10.0.0.0/8","Backend":{"Type":"vxlan"}}`), 0o600); err != nil {
		return err
	}
	_, err := c.AddNode(ctx, ownNode, ownSubnet)
	return err
}

// makers work side by side, so that the API server is the limit.
const makers = 4

// make makes the nodes from a to b.
func (c *cluster) make(ctx context.Context, a, b int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(makers)
	for i := a; i < b; i++ {
		group.Go(func() error {
			if err := c.register(ctx, i); err != nil {
				return err
			}
			return c.announce(ctx, i)
		})
	}
	c.made = b
	return group.Wait()
}

func nodeName(i int) string { return fmt.Sprintf("node-%05d", i) }

// padding brings a Node to the size that kubelets give it: some 10 kB, mostly
// images and managed fields.
var padding = strings.Repeat("0123456789abcdef", 9<<10/16)

// register makes a node as the kubelet and the controller manager do.
func (c *cluster) register(ctx context.Context, i int) error {
	cidr := peerAt(i).subnet.String()
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: nodeName(i), Annotations: map[string]string{"example.com/padding": padding}},
		Spec:       corev1.NodeSpec{PodCIDR: cidr, PodCIDRs: []string{cidr}},
	}
	_, err := c.Client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
	return err
}

// announce does what the node's agent does.
func (c *cluster) announce(ctx context.Context, i int) error {
	p := peerAt(i)
	const prefix = "flannel.alpha.coreos.com/"
	doc := fmt.Sprintf(`{"metadata":{"annotations":{%q:"true",%q:"vxlan",%q:%q,%q:%q}}}`,
		prefix+"kube-subnet-manager", prefix+"backend-type", prefix+"public-ip", p.public.String(),
		prefix+"backend-data", fmt.Sprintf(`{"VNI":1,"VtepMAC":%q}`, p.mac.String()))
	return c.patch(ctx, i, doc)
}

// beat makes k heartbeats, of one node after the other.
func (c *cluster) beat(ctx context.Context, k int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(makers)
	for i := range k {
		doc := fmt.Sprintf(`{"status":{"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady","message":"%d"}]}}`, i)
		group.Go(func() error { return c.patch(ctx, i%c.made, doc) })
	}
	return group.Wait()
}

func (c *cluster) patch(ctx context.Context, i int, doc string) error {
	_, err := c.Client.CoreV1().Nodes().Patch(ctx, nodeName(i), types.StrategicMergePatchType, []byte(doc), metav1.PatchOptions{}, "status")
	return err
}
