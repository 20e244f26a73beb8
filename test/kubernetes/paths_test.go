package kubernetes

import (
	"fmt"
	"net/netip"
	"strings"
)

// paths are all paths between servers, of all of the cluster's families.
func (c *cluster) paths(servers []server) (all []path) {
	for _, is6 := range c.families {
		ips := map[string]netip.Addr{"sticky": c.clusterIP("sticky", is6), "empty": c.clusterIP("empty", is6)}
		for _, s := range servers {
			if s.isPod() {
				ips[s.name] = c.clusterIP(s.name, is6)
			}
		}
		for _, from := range servers {
			for _, to := range servers {
				all = append(all, c.pathsBetween(from, to, is6, ips)...)
			}
			if from.isPod() {
				sticky := path{row: "sessionAffinity: always the same pod", from: from, is6: is6, host: ips["sticky"].String(), port: serviceHTTP}
				empty := path{row: "ClusterIP without endpoints: refused", from: from, is6: is6, host: ips["empty"].String(), port: serviceHTTP, refused: true}
				all = append(all, sticky, empty)
			}
		}
	}
	return all
}

func (c *cluster) pathsBetween(from, to server, is6 bool, ips map[string]netip.Addr) []path {
	base := path{from: from, is6: is6, server: to.name}
	switch {
	case to.isPod() && from.isPod():
		return podToPod(base, to, ips[to.name])
	case to.isPod() && from.node != nil:
		return nodeToPod(base, to, ips[to.name])
	case to.isPod():
		return c.outsideToPod(base, to)
	case from.isPod() && to.node != nil:
		base.row = "pod to its own node"
		if from.node != to.node {
			base.row, base.source = "pod to another node", from.node.address(is6)
		}
		return base.both(to.addr(is6).String(), int(to.port), int(to.port)+1)
	case from.isPod():
		base.row, base.source = "pod to outside", from.node.address(is6)
		return base.both(to.addr(is6).String(), int(to.port), int(to.port)+1)
	}
	return nil
}

// both is the path by TCP and by UDP.
func (p path) both(host string, tcp, udp int) []path {
	first, second := p, p
	first.host, first.port = host, tcp
	second.host, second.port, second.udp = host, udp, true
	return []path{first, second}
}

// as is the path as another row.
func (p path) as(row string) path {
	p.row = row
	return p
}

// seeing is the path whose server must see this address.
func (p path) seeing(source netip.Addr) path {
	p.source = source
	return p
}

func podToPod(base path, to server, ip netip.Addr) (all []path) {
	from, is6 := base.from, base.is6
	where := "on another node"
	switch {
	case from.name == to.name:
		where = "to itself"
	case from.node == to.node:
		where = "on the same node"
	}
	own := from.addr(is6)
	if from.name != to.name {
		all = append(all, base.as("pod to pod "+where).seeing(own).both(to.addr(is6).String(), httpPort, udpPort)...)
		all = append(all, base.as("ClusterIP, pod "+where).seeing(own).both(ip.String(), serviceHTTP, serviceUDP)...)
	} else {
		all = append(all, base.as("ClusterIP, pod "+where).both(ip.String(), serviceHTTP, serviceUDP)...)
	}
	i, node := to.index, to.node.address(is6).String()
	all = append(all, base.as("NodePort, pod "+where).both(node, int(nodePort(i)), int(nodePort(i))+1)...)
	all = append(all, base.as("NodePort Local, pod "+where).both(node, int(localNodePort(i)), int(localNodePort(i))+1)...)
	all = append(all, base.as("hostPort, pod "+where).both(node, int(hostPort(i)), int(hostPort(i))+1)...)
	byName := base.as("DNS: a Service's name")
	byName.host, byName.port = fmt.Sprintf("%s-%s.default.svc.cluster.local", to.name, familyName(is6)), serviceHTTP
	all = append(all, byName)
	if from.name != to.name && !is6 { // a name gives addresses of both, and clients take the first
		headless := base.as("DNS: a pod's name in a headless Service").seeing(own)
		headless.host, headless.port = to.name+".headless.default.svc.cluster.local", httpPort
		all = append(all, headless)
	}
	return all
}

func nodeToPod(base path, to server, ip netip.Addr) (all []path) {
	row := "node to a pod on another node"
	if base.from.node == to.node {
		row = "node to its own pod"
	}
	all = append(all, base.as(row).both(to.addr(base.is6).String(), httpPort, udpPort)...)
	all = append(all, base.as("node to ClusterIP").both(ip.String(), serviceHTTP, serviceUDP)...)
	return all
}

func (c *cluster) outsideToPod(base path, to server) (all []path) {
	own := base.from.addr(base.is6)
	for _, n := range c.nodes {
		node, i := n.address(base.is6).String(), to.index
		all = append(all, base.as("NodePort from outside").both(node, int(nodePort(i)), int(nodePort(i))+1)...)
		if n == to.node {
			all = append(all, base.as("NodePort Local from outside, source kept").seeing(own).both(node, int(localNodePort(i)), int(localNodePort(i))+1)...)
			all = append(all, base.as("hostPort from outside, source kept").seeing(own).both(node, int(hostPort(i)), int(hostPort(i))+1)...)
			continue
		}
		if i == 1 { // each waits for its end
			none := base.as("NodePort Local of a node without the pod: no answer")
			none.host, none.port, none.unserved = node, int(localNodePort(i)), true
			all = append(all, none)
		}
	}
	return all
}

// address is the node's own.
func (n *node) address(is6 bool) netip.Addr {
	for _, a := range n.Addrs {
		if a.Addr().Is6() == is6 {
			return a.Addr()
		}
	}
	return netip.Addr{}
}

// throughKubelet uses what goes through the API server and the kubelet.
func (c *cluster) throughKubelet(s server) {
	c.t.Helper()
	if out := c.must("kubectl", "exec", s.name, "--", "/bin/hostname"); strings.TrimSpace(out) != s.name {
		c.t.Errorf("exec in %s: hostname printed %q", s.name, out)
	}
	if out := c.must("kubectl", "logs", s.name); !strings.Contains(out, "GET /hostname") {
		c.t.Errorf("the log of %s has no request of its readiness probe:\n%s", s.name, out)
	}
	if err := c.forwardPort(s); err != nil {
		c.t.Errorf("port-forward to %s: %v", s.name, err)
	}
}
