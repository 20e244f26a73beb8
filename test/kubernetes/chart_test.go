package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/weft-net/weft/internal/lab"
)

// combination is a cluster of both families with weft by its chart.
type combination struct{ cni, backend, proxy string }

// What only make test-kubernetes-full runs comes after what the gate runs.
var (
	gateCombinations = []combination{
		{"weft", "DirectRouting", "iptables"},
		{"flannel", "host-gw", "nftables"},
	}
	fullCombinations = []combination{
		{"flannel", "vxlan", "iptables"},
		{"weft", "vxlan", "nftables"},
		{"weft", "vxlan", "iptables"},
		{"flannel", "DirectRouting", "nftables"},
		{"flannel", "DirectRouting", "iptables"},
		{"weft", "DirectRouting", "nftables"},
		{"flannel", "host-gw", "iptables"},
		{"weft", "host-gw", "nftables"},
		{"weft", "host-gw", "iptables"},
	}
)

func (x combination) String() string {
	return fmt.Sprintf("type %s, %s, kube-proxy %s", x.cni, x.backend, x.proxy)
}

// shape is that of a cluster for the combination: host-gw needs all nodes on one segment.
func (x combination) shape() shape {
	s := shape{topology: lab.Demo(), families: []bool{false, true}, proxy: x.proxy}
	if x.backend == "host-gw" {
		s.topology = lab.FlatDemo()
	}
	return s
}

// values are the chart's.
func (x combination) values() []string {
	sets := []string{"weft.cni=" + x.cni, "podCidrv6=" + clusterCIDRs[true].String()}
	switch x.backend {
	case "DirectRouting":
		sets = append(sets, "flannel.directRouting=true")
	default:
		sets = append(sets, "flannel.backend="+x.backend)
	}
	var args []string
	for _, s := range sets {
		args = append(args, "--set", s)
	}
	return args
}

// TestChart uses every path of clusters with weft by its chart.
func TestChart(t *testing.T) {
	all := gateCombinations
	if *run == "full" {
		all = append(all, fullCombinations...)
	}
	for i, x := range all {
		t.Run(x.String(), func(t *testing.T) {
			c, servers := startChart(t, x)
			fmt.Println(c.takeAll(x.String(), c.paths(servers)))
			c.throughKubelet(servers[len(servers)-1-len(c.hosts)])
			if i == 0 {
				c.cniStatus(servers)
				c.cniGC()
			}
		})
	}
}

// startChart starts the combination's cluster with servers.
func startChart(t *testing.T, x combination) (*cluster, []server) {
	t.Helper()
	c := startCluster(t, x.shape())
	c.install(x)
	return c, c.startServers()
}

// install installs weft by its chart, and DNS.
func (c *cluster) install(x combination) {
	c.t.Helper()
	c.must(append([]string{"helm", "install", "weft", chart, "--namespace", "weft", "--create-namespace"}, x.values()...)...)
	c.startDNS()
}

// startDNS starts CoreDNS and waits until it and everything else is ready.
func (c *cluster) startDNS() {
	c.t.Helper()
	c.apply("coredns", coreDNS)
	c.awaitReady(len(nodeNames) + 1)
	fmt.Printf("nodes, weft and DNS ready after %s\n", since(c.began))
}

var chart = filepath.Join("packaging", "kubernetes", "chart", "weft")

// conf11 is the chart's config of type weft with the version of the spec that has STATUS and GC.
const conf11 = `{"name": "weft", "cniVersion": "1.1.0", "plugins": [{"type": "weft"}, {"type": "portmap", "capabilities": {"portMappings": true}}]}`

// cniStatus gives the nodes a CNI config of version 1.1. containerd then asks the plugin for its status,
// and the kubelet tells it as the node's.
func (c *cluster) cniStatus(servers []server) {
	c.t.Helper()
	file := filepath.Join(c.admin.Dir(), "conf11.json")
	if err := os.WriteFile(file, []byte(conf11), 0o644); err != nil {
		c.t.Fatal(err)
	}
	p := c.startPings(servers)
	c.must("helm", "upgrade", "weft", chart, "--namespace", "weft", "--reuse-values", "--set-file", "flannel.cniConf="+file)
	c.must("kubectl", "--namespace", "weft", "rollout", "status", "daemonset/weft", "--timeout=3m")
	n := c.victim()
	if _, err := n.run(c.t.Context(), "sh", "-c", signalAgent, "STOP"); err != nil {
		c.t.Fatal(err)
	}
	c.await("the node to be not ready for the plugin's reason", func() error { return c.condition(n.Name, corev1.ConditionFalse, "weft") })
	if _, err := n.run(c.t.Context(), "sh", "-c", signalAgent, "CONT"); err != nil {
		c.t.Fatal(err)
	}
	c.await("the node to be ready again", func() error { return c.condition(n.Name, corev1.ConditionTrue, "") })
	p.stop("CNI config 1.1 by helm upgrade; STATUS of a frozen agent makes the node not ready, and ready again")
}

// signalAgent sends a signal to the node's agent.
const signalAgent = `
for p in /proc/[0-9]*; do
	if [ "$(readlink "$p/exe")" = /weft ] && grep -q -a 'kube-subnet-mgr' "$p/cmdline"; then kill "-$0" "${p#/proc/}"; found=1; fi
done
test -n "$found"
`

// condition returns nil if the node's condition Ready is so, with that text in its message.
func (c *cluster) condition(node string, want corev1.ConditionStatus, text string) error {
	n, err := c.api.Client.CoreV1().Nodes().Get(c.t.Context(), node, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, cond := range n.Status.Conditions {
		if cond.Type == corev1.NodeReady && (cond.Status != want || !strings.Contains(cond.Message, text)) {
			return fmt.Errorf("node %s: Ready is %s: %s", node, cond.Status, cond.Message)
		}
	}
	return nil
}

// cniGC leaves an address behind on a node without pods, as a runtime does that is killed, and has GC
// release it. containerd 2.4 does not call GC, so it is called as the spec says.
func (c *cluster) cniGC() {
	c.t.Helper()
	c.removePods()
	n := c.victim()
	run := func(script string) string {
		c.t.Helper()
		out, err := n.run(c.t.Context(), "sh", "-e", "-c", script, "gc", filepath.Join(built.cni, "cnitool"))
		if err != nil {
			c.t.Fatal(err)
		}
		return strings.TrimSpace(out)
	}
	if out := run(listLeases); out != "" {
		c.t.Errorf("node %s has no pods and still has addresses of some: %s", n.Name, out)
	}
	run(leakLease)
	if run(listLeases) == "" {
		c.t.Error("no address was left behind")
	}
	run(collectGarbage)
	if out := run(listLeases); out != "" {
		c.t.Errorf("after GC node %s still has addresses: %s", n.Name, out)
	}
	c.report("CNI GC after a pod vanished without DEL", "its addresses are free again")
}

const (
	// listLeases prints what the type weft keeps of the addresses it gave out.
	listLeases = `ls /var/lib/cni/weft/*/ 2>/dev/null || :`
	// leakLease takes cnitool's path.
	leakLease = `
export CNI_PATH=/opt/cni/bin NETCONFPATH=/etc/cni/net.d
ip netns add leak
"$1" add weft /run/netns/leak >/run/leak.json
ip netns delete leak
`
	collectGarbage = `
printf '{"name": "weft", "cniVersion": "1.1.0", "type": "weft", "cni.dev/valid-attachments": []}' |
	CNI_COMMAND=GC CNI_PATH=/opt/cni/bin /opt/cni/bin/weft
`
)
