// Command coredns is CoreDNS with the plugins that the DNS of a cluster in
// the tests needs, and no others.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
)

// In the order in which a query passes through them.
var plugins = []string{"reload", "health", "ready", "errors", "log", "cache", "loadbalance", "kubernetes", "forward"}

func main() {
	dnsserver.Directives = plugins
	coremain.Run()
}
