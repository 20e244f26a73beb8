package kubernetes

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/test/guide"
)

// page is the guide on Kubernetes, whose every command runs, in order: on a new cluster up to where
// flannel is replaced, and from there on one that has flannel.
var page = filepath.Join(repository, "docs", "guides", "kubernetes.md")

const (
	configureChapter = "## Configure"
	uninstallChapter = "## Uninstall"
	replaceChapter   = "## Replace flannel node by node"
)

// kubeFlannel installs what plays flannel.
//
//go:embed testdata/kube-flannel.yml
var kubeFlannel string

var guideShape = shape{topology: lab.Demo(), families: []bool{false}, proxy: "nftables"}

// An operator's mistake becomes an Event of the nodes, which the agents have the right to create.
var (
	brokenConfig = guide.Step{Block: guide.Block{Text: `kubectl -n weft patch configmap weft --type merge -p '{"data": {"net-conf.json": "{"}}'`}}
	brokenEvent  = guide.Step{
		Block: guide.Block{Text: "kubectl get events --field-selector involvedObject.kind=Node,involvedObject.name=h2"}, Again: true,
		Prints: []string{"... Warning WeftConfig node/h2 network config: not JSON..."},
	}
)

// TestReplaceFlannel follows the guide while pods ping each other, none of whose packets may be lost.
func TestReplaceFlannel(t *testing.T) {
	c := startCluster(t, guideShape)
	c.apply("kube-flannel", strings.ReplaceAll(kubeFlannel, "weft:v0.1.0", manifestImage(t)))
	c.apply("coredns", coreDNS)
	c.awaitReady(len(nodeNames) + 1)
	servers := c.startServers()
	all := chapters(t, replaceChapter, "")
	others := slices.IndexFunc(all, func(s guide.Step) bool { return strings.Contains(s.Text, "label nodes --all network=weft") })
	if others < 0 {
		t.Fatalf("%s does not say how the other nodes are switched", page)
	}
	p := c.startPings(servers)
	c.follow(all[:others])
	p.stop("flannel replaced on one node")
	p = c.startPings(servers)
	c.follow(handBack)
	p.stop("that node handed back to flannel, and taken over again")
	p = c.startPings(servers)
	c.follow(all[others:])
	c.awaitReady(2*len(nodeNames) + 2)
	p.stop("flannel replaced on all nodes")
	fmt.Println(c.takeAll("weft after flannel", c.paths(servers)))
}

// handBack does as the guide says with node h1.
var handBack = []guide.Step{
	{Block: guide.Block{Text: "kubectl label node h1 network=flannel --overwrite"}},
	{
		Block:  guide.Block{Text: "kubectl -n kube-flannel get daemonset kube-flannel-ds -o jsonpath='{.status.numberReady} of {.status.desiredNumberScheduled} ready'"},
		Again:  true,
		Prints: []string{"3 of 3 ready"},
	},
	{Block: guide.Block{Text: "kubectl label node h1 network=weft --overwrite"}},
	{
		Block:  guide.Block{Text: "kubectl -n weft get daemonset weft -o jsonpath='{.status.numberReady} of {.status.desiredNumberScheduled} ready'"},
		Again:  true,
		Prints: []string{"1 of 1 ready"},
	},
}

// chapters are the page's steps between two of its lines; "" is its begin or end.
func chapters(t *testing.T, from, to string) []guide.Step {
	t.Helper()
	steps, err := guide.Steps(page)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := lineOf(t, from, 0), lineOf(t, to, 1<<30)
	return slices.DeleteFunc(steps, func(s guide.Step) bool { return s.Line <= begin || s.Line > end })
}

// lineOf is the number of a line of the page, from 1; none for "".
func lineOf(t *testing.T, text string, none int) int {
	t.Helper()
	if text == "" {
		return none
	}
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.Index(strings.Split(string(content), "\n"), text)
	if i < 0 {
		t.Fatalf("%s has no line %q", page, text)
	}
	return i + 1
}

// inTree are the files of the repository from which those of dist are made, with another image; the nodes have the
// image that these name.
var inTree = strings.NewReplacer("dist/weft-chart.tgz", "packaging/kubernetes/chart/weft", "dist/weft", "packaging/kubernetes/weft")

// follow takes steps as the cluster's admin, in the repository.
func (c *cluster) follow(steps []guide.Step) {
	c.t.Helper()
	for _, s := range steps {
		s.Text = inTree.Replace(s.Text)
		ctx, cancel := context.WithTimeout(c.t.Context(), 2*settleLimit)
		err := s.Take(ctx, c.try)
		cancel()
		if err != nil {
			c.t.Fatalf("%s:%d:\n%s\n%v", page, s.Line, s.Text, err)
		}
	}
}

// expectNothingRefused fails if the API server refused a request of weft's: the agents' permissions are sufficient.
func (c *cluster) expectNothingRefused() {
	c.t.Helper()
	counted := 0
	for line := range strings.Lines(c.must("kubectl", "get", "--raw", "/metrics")) {
		if !strings.HasPrefix(line, "apiserver_request_total{") {
			continue
		}
		counted++
		if strings.Contains(line, `code="403"`) && strings.Contains(line, `resource="nodes"`) {
			c.t.Errorf("the API server refused: %s", line)
		}
	}
	if counted < 10 {
		c.t.Errorf("only %d kinds of requests were counted", counted)
	}
}
