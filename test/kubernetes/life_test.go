package kubernetes

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// weftPort is where agents serve their readiness.
const weftPort = 8081

// replaceAgents restarts all agents, and then gives them another image.
func (c *cluster) replaceAgents(servers []server) {
	c.t.Helper()
	rolled := func() {
		c.must("kubectl", "--namespace", "weft", "rollout", "status", "daemonset/weft", "--timeout=3m")
	}
	p := c.startPings(servers)
	c.must("kubectl", "--namespace", "weft", "rollout", "restart", "daemonset/weft")
	rolled()
	p.stop("rolling restart of the DaemonSet")
	p = c.startPings(servers)
	c.must("kubectl", "--namespace", "weft", "set", "image", "daemonset/weft", "install-cni="+upgradeImage, "weft="+upgradeImage)
	rolled()
	p.stop("upgrade of the DaemonSet to another image")
}

// restartDaemons restarts kubelet and containerd on every node. Containers go on.
func (c *cluster) restartDaemons(servers []server) {
	c.t.Helper()
	for _, name := range []string{"kubelet", "containerd"} {
		before := c.containers()
		p := c.startPings(servers)
		for _, n := range c.nodes {
			if err := n.restart(c.t.Context(), name); err != nil {
				c.t.Fatal(err)
			}
		}
		c.await("a new pod after the restart of "+name, func() error { return c.tryPod("after-" + name) })
		p.stop(name + " restarted on every node")
		after := c.containers()
		for id := range before {
			if !after[id] {
				c.t.Errorf("the restart of %s ended the container %s", name, id)
			}
		}
	}
}

func (n *node) restart(ctx context.Context, name string) error {
	if err := n.stop(ctx, name); err != nil {
		return err
	}
	if name == "kubelet" {
		return n.startKubelet()
	}
	if err := n.startContainerd(); err != nil {
		return err
	}
	return n.awaitContainerd(ctx)
}

// containers are the ids of all running containers of pods that stay.
func (c *cluster) containers() map[string]bool {
	c.t.Helper()
	list, err := c.api.Client.CoreV1().Pods("").List(c.t.Context(), metav1.ListOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, p := range list.Items {
		if strings.HasPrefix(p.Name, "after-") {
			continue
		}
		for _, s := range p.Status.ContainerStatuses {
			ids[p.Namespace+"/"+p.Name+" "+s.ContainerID] = true
		}
	}
	return ids
}

// rollAPI ends the API server and starts it again. A new pod then gets its network.
func (c *cluster) rollAPI(servers []server) {
	c.t.Helper()
	p := c.startPings(servers)
	if err := c.api.StopAPI(); err != nil {
		c.t.Fatal(err)
	}
	if err := c.api.StartAPI(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	c.await("a new pod after the restart of the API server", func() error { return c.tryPod("after-api") })
	p.stop("API server restarted")
}

// tryPod makes a pod, if there is none of that name, and returns nil when it is ready.
func (c *cluster) tryPod(name string) error {
	pods := c.api.Client.CoreV1().Pods(metav1.NamespaceDefault)
	p, err := pods.Get(c.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		_, err := pods.Create(c.t.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"short-lived": "yes"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: name, Image: agnhostImage, Args: []string{"pause"}, ImagePullPolicy: corev1.PullNever}}},
		}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		return fmt.Errorf("pod %s is new", name)
	}
	if !podReady(*p) {
		return fmt.Errorf("pod %s is not ready: %s", name, whyNot(*p))
	}
	return nil
}

// hasNoPods returns nil when nothing on the node is left of pods with a network of their own.
func (n *node) hasNoPods(ctx context.Context) error {
	out, err := n.run(ctx, "sh", "-c", podLinks+"; "+podAddrs)
	if err == nil && strings.TrimSpace(out) != "" {
		err = fmt.Errorf("%s still has, of pods:\n%s", n.Name, out)
	}
	return err
}

// podAddrs prints the addresses that are taken, by the CNI types flannel and weft.
const podAddrs = "ls /var/lib/cni/networks/cbr0 2>/dev/null | grep '^[0-9]' || :; ls /var/lib/cni/weft/*/ 2>/dev/null || :"

// podLinks prints the node's interfaces of pods; its uplink in the lab is a veth, too.
const podLinks = `ip -o link show type veth | grep -v ': eth0@' || :`

// victim is the node that things happen to.
func (c *cluster) victim() *node { return c.nodes[1] }

// drainNode moves all pods off the node, while the others' pings go on, and lets it have pods again.
func (c *cluster) drainNode(servers []server) {
	c.t.Helper()
	n := c.victim()
	p := c.startPings(servers, n.Name)
	c.must("kubectl", "drain", n.Name, "--ignore-daemonsets", "--force", "--delete-emptydir-data", "--timeout=2m")
	c.await("the end of the drained node's pods", func() error { return n.hasNoPods(c.t.Context()) })
	p.stop("node drained; the others' pings")
	c.must("kubectl", "uncordon", n.Name)
}

// rebootNode takes the node's power away and returns the new servers when it is back.
func (c *cluster) rebootNode(servers []server) []server {
	c.t.Helper()
	n, ctx := c.victim(), c.t.Context()
	before := c.containers()
	p := c.startPings(servers, n.Name)
	if err := n.powerOff(ctx); err != nil {
		c.t.Fatal(err)
	}
	began := time.Now()
	if err := n.start(ctx); err != nil {
		c.t.Fatal(err)
	}
	c.await("the network of the rebooted node", n.networkReady)
	network := since(began)
	var victim string
	for _, s := range servers {
		if s.isPod() && s.node == n {
			victim = s.name
		}
	}
	c.await("the pod of the rebooted node", func() error { return c.newlyReady(victim, before) })
	c.report("node rebooted: network ready", network.String())
	c.report("node rebooted: pod ready", since(began).String())
	c.awaitReady(len(nodeNames) + 1 + len(placement))
	p.stop("node rebooted; the others' pings")
	return c.serversAgain()
}

// subnetIs returns nil when the node's agent gives pods addresses of the subnet.
func (n *node) subnetIs(podCIDR string) error {
	env, err := os.ReadFile(n.path("/run/flannel/subnet.env"))
	if err != nil {
		return err
	}
	gateway := strings.TrimSuffix(podCIDR, ".0/24") + ".1/24"
	if !strings.Contains(string(env), "FLANNEL_SUBNET="+gateway+"\n") {
		return fmt.Errorf("the PodCIDR of %s is %s, and subnet.env says:\n%s", n.Name, podCIDR, env)
	}
	return n.networkReady()
}

// networkReady returns nil when the node's agent is ready since its boot.
func (n *node) networkReady() error {
	if _, err := os.Stat(n.path("/run/flannel/subnet.env")); err != nil {
		return err
	}
	transport := &http.Transport{DialContext: dialFrom(n.Host), DisableKeepAlives: true}
	request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/readyz", weftPort), nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("the agent of %s is not ready: %s (%w)", n.Name, text, err)
	}
	return nil
}

// newlyReady returns nil when the pod is ready with a container that is not one of those before.
func (c *cluster) newlyReady(name string, before map[string]bool) error {
	p, err := c.api.Client.CoreV1().Pods(metav1.NamespaceDefault).Get(c.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	old := func(s corev1.ContainerStatus) bool { return before[p.Namespace+"/"+p.Name+" "+s.ContainerID] }
	if !podReady(*p) || slices.ContainsFunc(p.Status.ContainerStatuses, old) {
		return fmt.Errorf("pod %s is not ready again: %s", name, whyNot(*p))
	}
	return nil
}

// serversAgain are the servers after pods got other addresses; those of hosts go on.
func (c *cluster) serversAgain() []server {
	c.t.Helper()
	pods := c.podServers()
	return append(pods, c.hosts...)
}

// recreateNode deletes the node and lets its kubelet register it anew, which gives it another PodCIDR.
func (c *cluster) recreateNode(servers []server) []server {
	c.t.Helper()
	n, ctx := c.victim(), c.t.Context()
	nodes := c.api.Client.CoreV1().Nodes()
	before, err := nodes.Get(ctx, n.Name, metav1.GetOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	p := c.startPings(servers, n.Name)
	if err := n.stop(ctx, "kubelet"); err != nil {
		c.t.Fatal(err)
	}
	c.must("kubectl", "delete", "node", n.Name)
	for _, s := range servers {
		if s.isPod() && s.node == n {
			c.must("kubectl", "delete", "pod", s.name, "--ignore-not-found", "--force", "--grace-period=0")
		}
	}
	if err := n.powerOff(ctx); err != nil {
		c.t.Fatal(err)
	}
	if err := n.start(ctx); err != nil {
		c.t.Fatal(err)
	}
	c.await("another PodCIDR", func() error {
		after, err := nodes.Get(ctx, n.Name, metav1.GetOptions{})
		if err == nil && (after.Spec.PodCIDR == "" || after.Spec.PodCIDR == before.Spec.PodCIDR) {
			err = fmt.Errorf("the PodCIDR is %q, as it was", after.Spec.PodCIDR)
		}
		if err != nil {
			return err
		}
		return n.subnetIs(after.Spec.PodCIDR)
	})
	c.restoreServers()
	c.awaitReady(len(nodeNames) + 1 + len(placement))
	p.stop("node deleted and re-created with another PodCIDR; the others' pings")
	return c.serversAgain()
}

// removePods removes all pods that have a network of their own, and waits until it is gone.
func (c *cluster) removePods() {
	c.t.Helper()
	c.must("kubectl", "--namespace", "kube-system", "scale", "deployment/coredns", "--replicas=0")
	c.must("kubectl", "delete", "pods", "--all", "--namespace", "default", "--grace-period=0", "--force")
	c.await("the end of all pods with a network", func() error {
		for _, n := range c.nodes {
			if err := n.hasNoPods(c.t.Context()); err != nil {
				return err
			}
		}
		return nil
	})
}

// expectNoTraces fails unless the nodes are as they were before weft.
func (c *cluster) expectNoTraces() {
	c.t.Helper()
	for _, n := range c.nodes {
		out, err := n.run(c.t.Context(), "sh", "-c", traces)
		if err != nil || strings.TrimSpace(out) != "" {
			c.t.Errorf("after the removal of weft %s still has (%v):\n%s", n.Name, err, out)
		}
	}
}

// traces prints what weft could have left on a node, beside identity.json.
const traces = `
ip -o link show type vxlan
ip route show proto 119
ip -6 route show proto 119
nft list tables | grep weft
find /var/lib/weft -mindepth 1 ! -name identity.json
for f in /opt/cni/bin/weft /opt/cni/bin/flannel /etc/cni/net.d/*flannel* /run/flannel/subnet.env; do
	test -e "$f" && echo "$f"
done
true
`
