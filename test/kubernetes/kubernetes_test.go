package kubernetes

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/weft-net/weft/internal/lab"
)

//go:embed testdata/coredns.yml
var coreDNS string

// TestManifest installs weft with its manifest, unchanged.
func TestManifest(t *testing.T) {
	c := startCluster(t, shape{topology: lab.Demo(), families: []bool{false}, proxy: "nftables"})
	c.must("kubectl", "apply", "-f", filepath.Join("packaging", "kubernetes", "weft.yml"))
	c.apply("coredns", coreDNS)
	c.awaitReady(4)
	fmt.Printf("nodes, weft and DNS ready after %s\n", since(c.began))
}
