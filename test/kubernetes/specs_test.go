package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/weft-net/weft/internal/store/etcdtest"
)

const (
	// specsLimit is how long one process of e2e.test may take.
	specsLimit = 40 * time.Minute
	// specsProcesses run at the same time: the tests mostly wait.
	specsProcesses = 3
)

// outcome is what e2e.test reports of a spec.
type outcome struct {
	ContainerHierarchyTexts []string
	LeafNodeText, State     string
	RunTime                 time.Duration
	Failure                 struct{ Message string }
}

// runSpecs runs the specs on the cluster, all of which must pass, and prints how long each took.
func (c *cluster) runSpecs(title string, specs []spec) {
	c.t.Helper()
	pattern, err := regexp.Compile(*only)
	if err != nil {
		c.t.Fatal(err)
	}
	specs = slices.DeleteFunc(slices.Clone(specs), func(s spec) bool { return !pattern.MatchString(s) })
	c.importSpecImages()
	began := time.Now()
	var mu sync.Mutex
	var all sync.WaitGroup
	passed := map[spec]time.Duration{}
	for i := range specsProcesses {
		var own []spec
		for j := i; j < len(specs); j += specsProcesses {
			own = append(own, specs[j])
		}
		if len(own) == 0 { // of no focus e2e.test runs all that it has
			break
		}
		all.Go(func() {
			outcomes, err := c.e2e(fmt.Sprintf("e2e-%d", i), own)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				c.t.Error(err)
			}
			for _, o := range outcomes {
				name := strings.Join(append(o.ContainerHierarchyTexts, o.LeafNodeText), " ")
				switch o.State {
				case "passed":
					passed[name] = o.RunTime
				case "skipped": // those that were not asked for, and those that do not fit: these are missed below
				default:
					c.t.Errorf("%s: %s: %s", name, o.State, o.Failure.Message)
				}
			}
		})
	}
	all.Wait()
	fmt.Printf("| %s | |\n|---|---|\n", title)
	right := 0
	for _, s := range specs {
		if took, ok := passed[s]; ok {
			right++
			fmt.Printf("| %s | %s |\n", strings.TrimPrefix(s, "[sig-network] "), took.Round(100*time.Millisecond))
			continue
		}
		c.t.Errorf("did not pass: %s", s)
	}
	fmt.Printf("| all | %d of %d passed, after %s |\n", right, len(specs), since(began))
}

// e2e runs specs in one process of e2e.test and returns its report.
func (c *cluster) e2e(name string, specs []spec) ([]outcome, error) {
	var focus []string
	for _, s := range specs {
		focus = append(focus, regexp.QuoteMeta(s)+"$")
	}
	dir := filepath.Join(c.admin.Dir(), name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	report := filepath.Join(dir, "report.json")
	ctx, cancel := context.WithTimeout(c.t.Context(), specsLimit)
	defer cancel()
	cmd := c.admin.Command(ctx, filepath.Join(built.conformance, "e2e.test"), "--provider=local", "--minStartupPods=0",
		"--kubeconfig="+c.api.Kubeconfig(), "--kubectl-path="+filepath.Join(built.kube, "kubectl"),
		"--ginkgo.json-report="+report, "--ginkgo.no-color", "--ginkgo.focus="+strings.Join(focus, "|"))
	cmd.Env, cmd.Dir = c.adminEnv(), dir
	p, err := c.admin.Launch(name, cmd)
	if err != nil {
		return nil, err
	}
	<-p.Done()
	text, err := os.ReadFile(report)
	var suites []struct{ SpecReports []outcome }
	if err == nil {
		err = json.Unmarshal(text, &suites)
	}
	if err != nil || len(suites) != 1 {
		return nil, fmt.Errorf("%s gave no report (%w):\n%s", name, err, p.Tail(40))
	}
	return suites[0].SpecReports, nil
}

// importSpecImages gives the nodes the images that e2e.test asks for.
func (c *cluster) importSpecImages() {
	c.t.Helper()
	var archives []string
	for i, image := range c.specImages() {
		path := filepath.Join(c.admin.Dir(), fmt.Sprintf("e2e-%d.tar", i))
		if err := image.archive(path); err != nil {
			c.t.Fatal(err)
		}
		archives = append(archives, path)
	}
	for _, n := range c.nodes {
		if err := n.importImages(c.t.Context(), archives); err != nil {
			c.t.Fatal(err)
		}
	}
}

// routeToPods gives the API server's host, which must be on the nodes' segment, routes to pods by their nodes.
func (c *cluster) routeToPods() {
	c.t.Helper()
	for _, n := range c.nodes {
		object, err := c.api.Client.CoreV1().Nodes().Get(c.t.Context(), n.Name, metav1.GetOptions{})
		if err != nil {
			c.t.Fatal(err)
		}
		for _, cidr := range object.Spec.PodCIDRs {
			is6 := strings.Contains(cidr, ":")
			if _, err := c.admin.Run(c.t.Context(), "ip", "route", "replace", cidr, "via", n.address(is6).String()); err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

// specImages are the images that specs use, under the names that e2e.test gives them: pause, and one with what the others
// have and the specs want.
func (c *cluster) specImages() []image {
	c.t.Helper()
	out, err := exec.CommandContext(c.t.Context(), filepath.Join(built.conformance, "e2e.test"), "--list-images").Output()
	if err != nil {
		c.t.Fatal(err)
	}
	named := func(names ...string) (all []string) {
		for ref := range strings.Lines(string(out)) {
			ref = strings.TrimSpace(ref)
			if name, _, _ := strings.Cut(filepath.Base(ref), ":"); slices.Contains(names, name) {
				all = append(all, ref)
			}
		}
		return all
	}
	tools := image{
		name: "agnhost:e2e", also: named("agnhost", "glibc-dns-testing", "nginx"),
		programs:   []string{filepath.Join(built.kube, "agnhost"), c.machinePath("busybox")},
		texts:      c.specTexts(),
		links:      map[string]string{"bin/sh": c.machinePath("dash"), "bin/nc": c.machinePath("nc.openbsd")},
		entrypoint: []string{"/agnhost"}, args: []string{"pause"},
	}
	for _, program := range []string{"dash", "curl", "dig", "nslookup", "getent", "nc.openbsd", "wget"} {
		tools.copies = append(tools.copies, c.machinePath(program))
	}
	for _, applet := range []string{"cat", "date", "dd", "env", "grep", "head", "hostname", "ls", "mkdir", "rm", "seq", "sleep", "touch"} {
		tools.links["bin/"+applet] = "/busybox"
	}
	pause := image{name: "pause:e2e", also: named("pause"), programs: []string{filepath.Join(built.weft, "pause")}, entrypoint: []string{"/pause"}}
	return []image{tools, pause}
}

// specTexts are the files of agnhost's image beside programs: the order of getent's sources, and the certificate that its
// server shows, which nobody verifies.
func (c *cluster) specTexts() map[string]string {
	c.t.Helper()
	ca, err := etcdtest.NewCA(c.t.TempDir(), "ca")
	if err != nil {
		c.t.Fatal(err)
	}
	cert, key, err := ca.Issue("localhost")
	if err != nil {
		c.t.Fatal(err)
	}
	texts := map[string]string{"etc/nsswitch.conf": "hosts: files dns\n"}
	for name, path := range map[string]string{"localhost.crt": cert, "localhost.key": key} {
		text, err := os.ReadFile(path)
		if err != nil {
			c.t.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}

// machinePath is where a program of this machine is.
func (c *cluster) machinePath(name string) string {
	c.t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		c.t.Fatal(err)
	}
	return path
}
