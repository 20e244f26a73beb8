package kubernetes

import (
	_ "embed"
	"fmt"
	"testing"

	"github.com/weft-net/weft/test/guide"
)

//go:embed testdata/coredns.yml
var coreDNS string

// TestManifest installs weft with its manifest, unchanged, by the commands of the guide, goes through what
// happens to a cluster in the years, and removes weft as the guide says.
func TestManifest(t *testing.T) {
	c := startCluster(t, guideShape)
	c.follow(chapters(t, "", configureChapter))
	c.startDNS()
	servers := c.startServers()
	fmt.Println(c.takeAll("weft.yml, kube-proxy nftables", c.paths(servers)))
	c.throughKubelet(servers[len(placement)-1])
	c.configure(servers)
	c.replaceAgents(servers)
	c.restartDaemons(servers)
	c.rollAPI(servers)
	c.must("kubectl", "delete", "pods", "--selector=short-lived", "--grace-period=0", "--force")
	c.drainNode(servers)
	c.restoreServers()
	servers = c.rebootNode(c.serversAgain())
	servers = c.recreateNode(servers)
	fmt.Println(c.takeAll("weft.yml with DirectRouting, after all that", c.paths(servers)))
	c.follow([]guide.Step{brokenConfig, brokenEvent})
	c.removePods()
	c.follow(chapters(t, uninstallChapter, replaceChapter))
	c.expectNothingRefused()
	c.expectNoTraces()
	c.report("weft-uninstall.yml", "no device, route, rule or file of weft left")
}

// configure follows the guide, which lets nodes of one segment do without a tunnel.
func (c *cluster) configure(servers []server) {
	c.t.Helper()
	p := c.startPings(servers)
	c.follow(append(chapters(c.t, configureChapter, uninstallChapter), guide.Step{
		Block: guide.Block{Text: "kubectl -n weft exec daemonset/weft -- /weft status"}, Again: true,
		Prints: []string{"network ... vxlan with direct routing"},
	}))
	p.stop("backend changed to DirectRouting")
}
