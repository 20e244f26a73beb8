package kubernetes

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/lab"
)

// alsoRun are specs beside the conformance tests, by a part of their names: paths on which a network's own source NAT
// or its filters can break Services. sctp is left out: many kernels lack it.
var alsoRun = []string{
	"Networking Granular Checks: Services should function for",
	"Networking Granular Checks: Services should be able to handle large requests",
	"Services should allow pods to hairpin back to themselves through services",
	"Services should preserve source pod IP for traffic thru service cluster IP",
	"Services should support externalTrafficPolicy=Local for type=NodePort",
	"Services should respect internalTrafficPolicy=Local",
	"Services should be rejected when no endpoints exist",
	"Services should implement service.kubernetes.io/headless",
}

// alsoRunDual are those for clusters of both families.
var alsoRunDual = []string{
	"[Feature:IPv6DualStack] should",
	"[Feature:IPv6DualStack] Granular Checks: Services Secondary IP Family [LinuxOnly] should function for",
	"[Feature:IPv6DualStack] Granular Checks: Services Secondary IP Family [LinuxOnly] should be able to handle large requests",
}

// TestConformance runs Kubernetes' own tests of networks: on a cluster with weft.yml all conformance tests of the
// network that the README does not except, on one of both families with the chart those of the families.
func TestConformance(t *testing.T) {
	if *run != "full" {
		t.Skip("make test-kubernetes-full builds Kubernetes' own tests")
	}
	all := listSpecs(t)
	t.Run("weft.yml", func(t *testing.T) {
		specs := append(conformanceSpecs(t, all), matching(t, all, alsoRun)...)
		s := guideShape
		s.topology = besideNodes(lab.FlatDemo())
		c := startCluster(t, s)
		c.must("kubectl", "apply", "-f", filepath.Join("packaging", "kubernetes", "weft.yml"))
		c.startDNS()
		c.routeToPods()
		c.runSpecs("weft.yml, kube-proxy nftables", specs)
	})
	t.Run("both families", func(t *testing.T) {
		x := combination{"weft", "DirectRouting", "iptables"}
		s := x.shape()
		s.topology = besideNodes(lab.FlatDemo())
		c := startCluster(t, s)
		c.install(x)
		c.routeToPods()
		c.runSpecs(x.String()+", IPv4 and IPv6", matching(t, all, append(alsoRunDual, alsoRun...)))
	})
}

// besideNodes puts the host of the API server on the nodes' segment, from where it reaches pods by routes: through
// the API server's proxy, too, some tests ask pods.
func besideNodes(topology lab.Topology) lab.Topology {
	for i, h := range topology.Hosts {
		if h.Name == lab.StoreHost {
			topology.Hosts[i].Segment = topology.Hosts[0].Segment
			topology.Hosts[i].Addrs = []netip.Addr{netip.MustParseAddr("10.4.7.10"), netip.MustParseAddr("fd04:7::10")}
		}
	}
	return topology
}

// spec is one of Kubernetes' tests, by its full name.
type spec = string

// listSpecs returns all that e2e.test has.
func listSpecs(t *testing.T) (all []spec) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(built.conformance, "e2e.test"), "--list-tests").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if _, name, found := strings.Cut(strings.TrimSpace(line), ": ["); found {
			all = append(all, "["+name)
		}
	}
	return all
}

// conformanceSpecs are the conformance tests of the network, without those that the README excepts, each of which
// must be one of them.
func conformanceSpecs(t *testing.T, all []spec) (specs []spec) {
	t.Helper()
	excepted := exceptedSpecs(t)
	for _, s := range all {
		if !strings.HasPrefix(s, "[sig-network] ") || !strings.Contains(s, "[Conformance]") {
			continue
		}
		if i := slices.Index(excepted, s); i >= 0 {
			excepted = slices.Delete(excepted, i, i+1)
			continue
		}
		specs = append(specs, s)
	}
	if len(excepted) > 0 {
		t.Errorf("README.md excepts what is no conformance test of the network: %q", excepted)
	}
	return specs
}

// exceptedSpecs reads the README's table of conformance tests that are not run.
func exceptedSpecs(t *testing.T) (specs []spec) {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "\n| conformance test that is not run | reason |\n|---|---|\n")
	if !found {
		t.Fatal("README.md has no table of the conformance tests that are not run")
	}
	for line := range strings.Lines(table) {
		name, _, found := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		if !found {
			break
		}
		if name != "none" {
			specs = append(specs, strings.Trim(name, "`"))
		}
	}
	return specs
}

// matching returns the specs of the network that have one of these parts, without SCTP.
func matching(t *testing.T, all []spec, parts []string) (specs []spec) {
	t.Helper()
	for _, part := range parts {
		before := len(specs)
		for _, s := range all {
			if strings.HasPrefix(s, "[sig-network] ") && strings.Contains(s, part) && !strings.Contains(s, "sctp") && !slices.Contains(specs, s) {
				specs = append(specs, s)
			}
		}
		if len(specs) == before {
			t.Errorf("e2e.test has no test %q", part)
		}
	}
	return specs
}
