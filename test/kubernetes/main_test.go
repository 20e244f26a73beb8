package kubernetes

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/weft-net/weft/internal/netns"
	"github.com/weft-net/weft/test/programs"
)

// run selects the tests: they take minutes and both processors, so they are no part of go test ./...
var run = flag.String("kubernetes", "", "gate: what make test-kubernetes runs; full: everything")

// only selects some of Kubernetes' own tests.
var only = flag.String("specs", "", "run only those of Kubernetes' own tests whose name this regular expression matches")

// built are the directories of programs that nodes and the control plane run.
var built struct {
	kube, containerd, coredns, cni, helm string
	conformance, policy                  string // only of the full run
	weft                                 string // weft and weft-cni, as in the image
}

func TestMain(m *testing.M) {
	flag.Parse()
	if *run != "gate" && *run != "full" {
		fmt.Println("these tests run by make test-kubernetes and make test-kubernetes-full")
		return
	}
	os.Exit(mainIn(m))
}

// mainIn builds what needs the network, before the tests are in a namespace without.
func mainIn(m *testing.M) int {
	if err := build(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return netns.Main(m.Run)
}

func build(ctx context.Context) error {
	sets := map[*programs.Set]*string{
		&programs.Kube: &built.kube, &programs.Containerd: &built.containerd, &programs.CoreDNS: &built.coredns,
		&programs.CNI: &built.cni, &programs.Helm: &built.helm,
	}
	if *run == "full" {
		sets[&programs.Conformance], sets[&programs.Policy] = &built.conformance, &built.policy
	}
	for set, dir := range sets {
		var err error
		if *dir, err = set.Dir(ctx); err != nil {
			return err
		}
	}
	root, err := filepath.Abs(repository)
	if err != nil {
		return err
	}
	built.weft = filepath.Join(root, "bin", "test", "image")
	return buildImagePrograms(ctx, root, built.weft)
}
