package kubernetes

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/store/kubetest"
)

const (
	// startLimit is how long a program may take to start on a busy machine.
	startLimit = 2 * time.Minute
	// settleLimit is how long the cluster may take to follow a change.
	settleLimit = 90 * time.Second
)

// apiPort is where the API server serves on lab.StoreHost.
const apiPort = 6443

// The nodes of a cluster: two on one segment of the lab and one on another, if it has two. The host
// outside is no node.
var nodeNames = []string{"h1", "h2", "h3"}

const outsideHost = "h4"

// The cluster's networks of pods.
var clusterCIDRs = map[bool]netip.Prefix{
	false: netip.MustParsePrefix("10.244.0.0/16"),
	true:  netip.MustParsePrefix("fd00:244::/48"),
}

// shape is what a cluster has that weft does not choose.
type shape struct {
	topology lab.Topology
	families []bool // whether IPv6, for each
	proxy    string // kube-proxy's mode
}

// cluster is a running Kubernetes cluster in the lab.
type cluster struct {
	shape
	t       *testing.T
	lab     *lab.Lab
	api     *kubetest.Cluster
	admin   *lab.Host
	outside *lab.Host
	nodes   []*node
	hosts   []server // in hosts' own networks
	began   time.Time
}

// startCluster starts a cluster without a network. It ends with the test.
func startCluster(t *testing.T, s shape) *cluster {
	t.Helper()
	l, err := lab.New(s.topology, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	archives, err := writeArchives(t)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{shape: s, t: t, lab: l, began: time.Now()}
	if err := c.start(t.Context(), archives); err != nil {
		c.showLogs()
		t.Fatal(err)
	}
	t.Cleanup(c.showLogs)
	return c
}

// writeArchives writes all images, weft's under the manifest's name and under another, for an upgrade.
func writeArchives(t *testing.T) (archives []string, err error) {
	all, err := images(manifestImage(t), upgradeImage)
	for i, image := range all {
		path := filepath.Join(t.TempDir(), fmt.Sprintf("%d.tar", i))
		if err == nil {
			err = image.archive(path)
		}
		archives = append(archives, path)
	}
	return archives, err
}

// upgradeImage is weft's by another name.
const upgradeImage = "registry.example/weft:next"

// manifestImage is the image that weft.yml names.
func manifestImage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "packaging", "kubernetes", "weft.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if name, found := strings.CutPrefix(strings.TrimSpace(line), "image: "); found {
			return strings.Trim(name, `"`)
		}
	}
	t.Fatal("weft.yml names no image")
	return ""
}

var repository = filepath.Join("..", "..")

func (c *cluster) start(ctx context.Context, archives []string) error {
	hosts := map[string]*lab.Host{}
	for _, name := range c.lab.HostNames() {
		h, err := c.lab.Host(name)
		if err != nil {
			return err
		}
		hosts[name] = h
	}
	c.admin, c.outside = hosts[lab.StoreHost], hosts[outsideHost]
	if err := c.startControlPlane(ctx); err != nil {
		return err
	}
	fmt.Printf("control plane ready after %s\n", since(c.began))
	var all sync.WaitGroup
	errs := make([]error, len(nodeNames))
	for i, name := range nodeNames {
		n := &node{Host: hosts[name], cluster: c}
		c.nodes = append(c.nodes, n)
		all.Go(func() {
			if errs[i] = n.start(ctx); errs[i] == nil {
				errs[i] = n.importImages(ctx, archives)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	fmt.Printf("nodes started, images imported after %s\n", since(c.began))
	return nil
}

func since(t time.Time) time.Duration { return time.Since(t).Round(100 * time.Millisecond) }

func (c *cluster) startControlPlane(ctx context.Context) (err error) {
	dir := filepath.Join(c.admin.Dir(), "kube")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	c.api, err = kubetest.Start(ctx, kubetest.Options{
		Dir: dir, Addr: netip.AddrPortFrom(c.admin.Addrs[0].Addr(), apiPort), Nodes: nodeNames,
		Launch: c.admin.StartCommand, Dial: dialFrom(c.admin),
	})
	if err != nil {
		return err
	}
	c.t.Cleanup(func() {
		if err := c.api.Close(); err != nil {
			c.t.Error(err)
		}
	})
	var cidrs []netip.Prefix
	for _, is6 := range c.families {
		cidrs = append(cidrs, clusterCIDRs[is6])
	}
	if err := c.api.StartControllers(cidrs...); err != nil {
		return err
	}
	return c.api.StartScheduler()
}

// podCIDRs are the networks of pods, separated by commas.
func (c *cluster) podCIDRs() string {
	var all []string
	for _, is6 := range c.families {
		all = append(all, clusterCIDRs[is6].String())
	}
	return strings.Join(all, ",")
}

// has tells whether the cluster uses the address's family.
func (c *cluster) has(a netip.Addr) bool { return slices.Contains(c.families, a.Is6()) }

// dialFrom connects from a host.
func dialFrom(n interface{ Do(func() error) error }) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
		err = n.Do(func() (err error) {
			conn, err = (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, addr)
			return err
		})
		return conn, err
	}
}

// try runs kubectl or helm as the cluster's admin, in the repository's root, and returns what it printed.
func (c *cluster) try(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := c.admin.Command(ctx, args...)
	cmd.Env, cmd.Dir = c.adminEnv(), repository
	cmd.Stdout, cmd.Stderr = &out, &out
	switch args[0] {
	case "kubectl":
		cmd.Path, cmd.Err = filepath.Join(built.kube, "kubectl"), nil
	case "helm":
		cmd.Path, cmd.Err = filepath.Join(built.helm, "helm"), nil
	}
	err := c.admin.StartCommand(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String(), nil
}

func (c *cluster) adminEnv() []string {
	path := strings.Join([]string{built.kube, built.helm, os.Getenv("PATH")}, ":")
	return []string{"PATH=" + path, "KUBECONFIG=" + c.api.Kubeconfig(), "HOME=" + c.admin.Dir()}
}

// must is try, which must succeed.
func (c *cluster) must(args ...string) string {
	c.t.Helper()
	out, err := c.try(c.t.Context(), args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// await waits until try returns nil.
func (c *cluster) await(what string, try func() error) {
	c.t.Helper()
	if err := within(c.t.Context(), settleLimit, try); err != nil {
		c.t.Fatalf("wait for %s: %v", what, err)
	}
}

// awaitReady waits until every node and every pod is ready.
func (c *cluster) awaitReady(pods int) {
	c.t.Helper()
	c.await("nodes", func() error {
		list, err := c.api.Client.CoreV1().Nodes().List(c.t.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		if len(list.Items) != len(nodeNames) {
			return fmt.Errorf("%d nodes are registered", len(list.Items))
		}
		for _, n := range list.Items {
			if err := nodeReady(n); err != nil {
				return err
			}
		}
		return nil
	})
	c.await("pods", func() error { return c.podsReady(pods) })
}

func nodeReady(n corev1.Node) error {
	for _, cond := range n.Status.Conditions {
		if cond.Type == corev1.NodeReady && cond.Status != corev1.ConditionTrue ||
			cond.Type == corev1.NodeNetworkUnavailable && cond.Status != corev1.ConditionFalse {
			return fmt.Errorf("node %s: %s is %s: %s", n.Name, cond.Type, cond.Status, cond.Message)
		}
	}
	for _, taint := range n.Spec.Taints {
		if taint.Effect == corev1.TaintEffectNoSchedule {
			return fmt.Errorf("node %s has the taint %s", n.Name, taint.Key)
		}
	}
	return nil
}

// podsReady returns nil if there are at least so many pods, and all are ready.
func (c *cluster) podsReady(count int) error {
	list, err := c.api.Client.CoreV1().Pods("").List(c.t.Context(), metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, p := range list.Items {
		if !podReady(p) {
			return fmt.Errorf("pod %s/%s on %q is not ready: %s", p.Namespace, p.Name, p.Spec.NodeName, whyNot(p))
		}
	}
	if len(list.Items) < count {
		return fmt.Errorf("there are %d of %d pods", len(list.Items), count)
	}
	return nil
}

func podReady(p corev1.Pod) bool {
	return p.DeletionTimestamp == nil && slices.ContainsFunc(p.Status.Conditions, func(cond corev1.PodCondition) bool {
		return cond.Type == corev1.PodReady && cond.Status == corev1.ConditionTrue
	})
}

func whyNot(p corev1.Pod) string {
	text := string(p.Status.Phase)
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if s.State.Waiting != nil {
			text += fmt.Sprintf("; %s: %s %s", s.Name, s.State.Waiting.Reason, s.State.Waiting.Message)
		}
		if s.LastTerminationState.Terminated != nil {
			text += fmt.Sprintf("; %s ended: %s", s.Name, s.LastTerminationState.Terminated.Message)
		}
	}
	return text
}

// apply applies objects given as YAML.
func (c *cluster) apply(name, text string) {
	c.t.Helper()
	path := filepath.Join(c.admin.Dir(), name+".yml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		c.t.Fatal(err)
	}
	c.must("kubectl", "apply", "--server-side", "-f", path)
}

// applyObjects applies objects.
func (c *cluster) applyObjects(name string, objects ...any) {
	c.t.Helper()
	var text strings.Builder
	for _, o := range objects {
		y, err := yaml.Marshal(o)
		if err != nil {
			c.t.Fatal(err)
		}
		fmt.Fprintf(&text, "---\n%s", y)
	}
	c.apply(name, text.String())
}

// showLogs shows what helps to find why the test failed.
func (c *cluster) showLogs() {
	if !c.t.Failed() {
		return
	}
	ctx := context.Background()
	for _, args := range [][]string{
		{"kubectl", "get", "nodes,pods", "-A", "-o", "wide"},
		{"kubectl", "get", "events", "-A", "--field-selector", "type=Warning"},
	} {
		if c.api == nil {
			break
		}
		out, err := c.try(ctx, args...)
		c.t.Logf("%v (error %v):\n%s", args, err, out)
	}
	for _, n := range c.nodes {
		for name, p := range n.daemons {
			c.t.Logf("the log of %s on %s ends with:\n%s", name, n.Name, p.Tail(25))
		}
		if n.init == nil {
			continue
		}
		out, err := n.run(ctx, "sh", "-c", `for log in /var/log/pods/weft_*/*/*.log; do echo "$log"; tail -n 15 "$log"; done`)
		c.t.Logf("weft's logs on %s (error %v):\n%s", n.Name, err, out)
	}
}
