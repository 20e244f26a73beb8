package kubetest

import (
	"net/netip"
	"strings"
)

// StartControllers starts the controller that assigns PodCIDRs to nodes without
// any, one from each of the cluster's CIDRs: a /24 of IPv4, a /64 of IPv6. It
// returns at once; the caller waits for a node's PodCIDR.
func (c *Cluster) StartControllers(clusterCIDRs ...netip.Prefix) error {
	args := []string{
		"--kubeconfig=" + c.Kubeconfig(), "--controllers=" + c.controllerNames(),
		"--allocate-node-cidrs=true", "--leader-elect=false", "--secure-port=0",
	}
	if len(c.o.Nodes) > 0 {
		args = append(args, "--root-ca-file="+c.creds.ca, "--service-cluster-ip-range="+serviceRanges)
	}
	var cidrs []string
	for _, p := range clusterCIDRs {
		cidrs = append(cidrs, p.String())
		if p.Addr().Is6() {
			args = append(args, "--node-cidr-mask-size-ipv6=64")
		} else {
			args = append(args, "--node-cidr-mask-size-ipv4=24")
		}
	}
	p, err := c.run("kube-controller-manager", append(args, "--cluster-cidr="+strings.Join(cidrs, ","))...)
	c.controllers = p
	return err
}

// controllerNames are those that run, for --controllers: with kubelets all.
func (c *Cluster) controllerNames() string {
	if len(c.o.Nodes) > 0 {
		return "*"
	}
	return "node-ipam-controller"
}

// StartScheduler starts the scheduler of a cluster with kubelets. It returns at
// once; pods wait until it is ready.
func (c *Cluster) StartScheduler() (err error) {
	c.scheduler, err = c.run("kube-scheduler", "--kubeconfig="+c.creds.path(schedulerName), "--leader-elect=false", "--secure-port=0")
	return err
}
