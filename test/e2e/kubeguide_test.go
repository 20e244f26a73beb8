package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/store/kubetest"
	"github.com/weft-net/weft/test/programs"
)

const kubeGuide = "../../docs/guides/kubernetes.md"

// guidePingInterval is the pace of pings between pods while the guide is followed.
const guidePingInterval = 10 * time.Millisecond

// guideCluster is the cluster that the guide on Kubernetes is about: a real control plane, real
// kubectl and helm, and three nodes whose kubelets are stand-ins.
type guideCluster struct {
	*lab.Lab
	cluster *kubetest.Cluster
	admin   admin
	nodes   []*lab.Host
}

// admin is where kubectl and helm run, in the repository.
type admin struct {
	*lab.Host
	env []string
}

func (a admin) run(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := a.Command(ctx, args...)
	cmd.Env, cmd.Dir = a.env, filepath.Join("..", "..")
	cmd.Stdout, cmd.Stderr = &out, &out
	err := a.StartCommand(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	return out.String(), err
}

// TestKubernetesGuide runs every command of the guide, in its order: on a new cluster up to where
// flannel is replaced, and from there on one that has flannel.
func TestKubernetesGuide(t *testing.T) {
	image := t.TempDir()
	if err := buildPrograms(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	t.Run("install", func(t *testing.T) {
		t.Parallel()
		c := startGuideCluster(t, image)
		c.follow(t, chapters(t, "## Install", "## Uninstall"))
		for _, h := range c.nodes {
			c.takes(t, step{block: block{text: "weft status"}, again: true, prints: []string{"network ... vxlan with direct routing"}}, h.Run)
		}
		c.takes(t, brokenConfig, c.admin.run)
		c.takes(t, brokenEvent, c.admin.run)
		c.follow(t, chapters(t, "## Uninstall", "## Replace flannel node by node"))
		c.expectNothingRefused(t)
		for _, h := range c.nodes {
			expectNoTrace(t, h)
		}
	})
	t.Run("replace", func(t *testing.T) {
		t.Parallel()
		c := startGuideCluster(t, image)
		c.replaceFlannel(t, chapters(t, "## Replace flannel node by node", ""))
	})
}

// An operator's mistake becomes an Event of the nodes, which the agents have the right to make.
var (
	brokenConfig = step{block: block{text: `kubectl -n weft patch configmap weft --type merge -p '{"data": {"net-conf.json": "{"}}'`}}
	brokenEvent  = step{
		block: block{text: "kubectl get events --field-selector involvedObject.kind=Node,involvedObject.name=h2"}, again: true,
		prints: []string{"... Warning WeftConfig node/h2 network config: not JSON..."},
	}
)

// chapters are the guide's steps between two of its lines.
func chapters(t *testing.T, from, to string) []step {
	t.Helper()
	text, err := os.ReadFile(kubeGuide)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	begin, end := slices.Index(lines, from), slices.Index(lines, to)
	if to == "" {
		end = len(lines)
	}
	if begin < 0 || end < begin {
		t.Fatalf("%s has no %q before %q", kubeGuide, from, to)
	}
	return slices.DeleteFunc(guideSteps(t, pageBlocks(t, kubeGuide)), func(s step) bool { return s.line <= begin || s.line > end })
}

// replaceFlannel follows the guide while pods ping each other, none of whose packets may be lost.
func (c guideCluster) replaceFlannel(t *testing.T, steps []step) {
	c.follow(t, []step{
		{block: block{text: "kubectl apply -f test/e2e/guide/kube-flannel.yml"}},
		{block: block{text: "kubectl -n kube-flannel get daemonset"}, again: true, prints: []string{"kube-flannel-ds 3 3 3 3 3 ..."}},
	})
	var pods []*lab.Pod
	for i, h := range c.nodes {
		pod, err := h.AddPod(fmt.Sprintf("p%d", i+1))
		if err != nil {
			t.Fatal(err)
		}
		pods = append(pods, pod)
	}
	pingers := map[string]*lab.Pinger{}
	for _, from := range pods {
		for _, to := range pods {
			if from != to {
				pingers[from.Name+" to "+to.Name] = startPings(t, from, to)
			}
		}
	}
	c.follow(t, steps)
	for name, p := range pingers {
		tally := p.Stop()
		if err := tally.Err(); err != nil {
			t.Errorf("%s: %v; longest gap %s", name, err, tally.Gap)
		}
	}
}

// startPings pings from pod to pod from the first answer on.
func startPings(t *testing.T, from, to *lab.Pod) *lab.Pinger {
	t.Helper()
	addr, _ := to.Addr(false)
	reached := step{block: block{text: "ping"}, again: true}
	err := reached.take(t.Context(), func(ctx context.Context, _ ...string) (string, error) {
		tally, err := from.Ping(ctx, addr, 1)
		return "", errors.Join(err, tally.Err())
	})
	if err != nil {
		t.Fatalf("%s does not reach %s: %v", from, to, err)
	}
	p, err := from.StartPinger(addr, guidePingInterval)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// follow runs steps of the guide.
func (c guideCluster) follow(t *testing.T, steps []step) {
	t.Helper()
	for _, s := range steps {
		c.takes(t, s, c.admin.run)
	}
}

func (c guideCluster) takes(t *testing.T, s step, run func(context.Context, ...string) (string, error)) {
	t.Helper()
	if err := s.take(t.Context(), run); err != nil {
		t.Fatalf("%s:%d:\n%s\n%v", kubeGuide, s.line, s.text, err)
	}
}

// expectNothingRefused fails if the API server refused a request: the agents' permissions are sufficient.
func (c guideCluster) expectNothingRefused(t *testing.T) {
	t.Helper()
	metrics, err := c.admin.run(t.Context(), "kubectl", "get", "--raw", "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	for line := range strings.Lines(metrics) {
		if !strings.HasPrefix(line, "apiserver_request_total{") {
			continue
		}
		counted++
		if strings.Contains(line, `code="403"`) || strings.Contains(line, `code="401"`) {
			t.Errorf("the API server refused: %s", line)
		}
	}
	if counted < 10 {
		t.Errorf("only %d kinds of requests were counted", counted)
	}
}

// expectNoTrace fails unless a node is as it was before weft came.
func expectNoTrace(t *testing.T, h *lab.Host) {
	t.Helper()
	out, err := h.Run(t.Context(), "sh", "-c", "ip -o link show type vxlan; ip route show proto 119; nft list tables; ls $0/opt/cni/bin $0/etc/cni/net.d $0/run/flannel | grep -v :", rootOf(h))
	if strings.TrimSpace(out) != "" {
		t.Errorf("on %s is left (%v):\n%s", h.Name, err, out)
	}
}

func startGuideCluster(t *testing.T, image string) guideCluster {
	t.Helper()
	l, err := lab.New(lab.Demo(), lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 2*startLimit)
	defer cancel()
	c := guideCluster{Lab: l, cluster: startControlPlane(ctx, t, labHost(t, l, lab.StoreHost))}
	c.admin = admin{labHost(t, l, lab.StoreHost), adminEnv(t, c.cluster)}
	for _, name := range []string{"h1", "h2", "h3"} {
		h := labHost(t, l, name)
		if _, err := startNode(ctx, h, image); err != nil {
			t.Fatal(err)
		}
		if _, err := c.cluster.AddNode(ctx, name); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { showContainers(t, h) })
		startKubelet(t, c.cluster, h)
		c.nodes = append(c.nodes, h)
	}
	return c
}

// showContainers shows what a node's containers said, if the test failed.
func showContainers(t *testing.T, h *lab.Host) {
	if !t.Failed() {
		return
	}
	out, err := h.Run(context.Background(), "sh", "-c", "for c in $(docker ps -aq); do docker inspect -f '{{.Name}} {{.State.Status}}' $c; docker logs --tail 15 $c; done 2>&1")
	t.Logf("containers on %s (error %v):\n%s", h.Name, err, out)
}

func labHost(t *testing.T, l *lab.Lab, name string) *lab.Host {
	t.Helper()
	h, err := l.Host(name)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// startControlPlane runs the API server and all controllers that the guide counts on.
func startControlPlane(ctx context.Context, t *testing.T, h *lab.Host) *kubetest.Cluster {
	t.Helper()
	c, err := controlPlaneOn(ctx, h, "daemonset-controller", "namespace-controller", "garbage-collector-controller", "serviceaccount-controller")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := c.StartControllers(clusterCIDR(false)); err != nil {
		t.Fatal(err)
	}
	return c
}

// adminEnv lets kubectl and helm find the cluster.
func adminEnv(t *testing.T, c *kubetest.Cluster) []string {
	t.Helper()
	path := os.Getenv("PATH")
	for _, set := range []programs.Set{programs.Kube, programs.Helm} {
		dir, err := set.Dir(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		path = dir + ":" + path
	}
	return []string{"PATH=" + path, "KUBECONFIG=" + c.Kubeconfig(), "HOME=" + t.TempDir()}
}
