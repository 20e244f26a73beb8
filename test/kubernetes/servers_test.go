package kubernetes

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/weft-net/weft/internal/lab"
)

// Ports of agnhost's server, in pods and on hosts.
const (
	httpPort = 8080
	udpPort  = 8081

	serviceHTTP, serviceUDP = 80, 81
	hostServerPort          = 8090 // of the servers in hosts' own networks
)

// A server answers requests with its name and the client's address, and makes such requests on
// demand. Those on nodes and outside are in the host's network.
type server struct {
	name  string
	host  *lab.Host // where its requests are demanded from
	node  *node     // nil outside
	addrs []netip.Addr
	port  uint16 // TCP; UDP is the next

	index int // from 1; 0 for those in hosts' networks
}

func (s server) isPod() bool { return s.index > 0 }

func (s server) addr(is6 bool) netip.Addr {
	for _, a := range s.addrs {
		if a.Is6() == is6 {
			return a
		}
	}
	return netip.Addr{}
}

// Ports of server i, from 1, on nodes.
func nodePort(i int) int32      { return int32(30000 + 10*i) } // UDP: the next
func localNodePort(i int) int32 { return int32(31000 + 10*i) }
func hostPort(i int) int32      { return int32(8100 + 10*i) }

// placement is which node each server of pods is on: two share one.
var placement = []int{0, 0, 1, 2}

// startServers runs the servers and their Services, and returns them when all are ready.
func (c *cluster) startServers() []server {
	c.t.Helper()
	c.hosts = c.hostServers()
	c.restoreServers()
	return c.serversAgain()
}

// restoreServers makes what is missing of the pods and Services, and waits until all are ready.
func (c *cluster) restoreServers() {
	c.t.Helper()
	var objects []any
	for i := range placement {
		objects = append(objects, c.serverPod(i+1))
		objects = append(objects, c.serverServices(i+1)...)
	}
	objects = append(objects, c.commonServices()...)
	c.applyObjects("servers", objects...)
	c.await("servers", func() error { return c.podsReady(len(nodeNames) + 1 + len(placement)) })
}

func (c *cluster) podServers() (all []server) {
	c.t.Helper()
	for i := range placement {
		s := c.podServer(metav1.NamespaceDefault, serverName(i+1), c.nodes[placement[i]])
		s.index = i + 1
		all = append(all, s)
	}
	return all
}

// podServer is the server in a pod that runs on the node.
func (c *cluster) podServer(namespace, name string, n *node) server {
	c.t.Helper()
	p, err := c.api.Client.CoreV1().Pods(namespace).Get(c.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	s := server{name: name, node: n, host: n.Host, port: httpPort}
	for _, ip := range p.Status.PodIPs {
		s.addrs = append(s.addrs, netip.MustParseAddr(ip.IP))
	}
	return s
}

// hostServers starts servers in the network of each node and of the host outside.
func (c *cluster) hostServers() (all []server) {
	c.t.Helper()
	for _, n := range c.nodes {
		all = append(all, server{name: n.Name, host: n.Host, node: n})
	}
	all = append(all, server{name: outsideHost, host: c.outside})
	for i, s := range all {
		all[i].port = hostServerPort
		var listen []string // else answers come from the address that is nearest to the client
		for _, a := range s.host.Addrs {
			all[i].addrs = append(all[i].addrs, a.Addr())
			listen = append(listen, a.Addr().String())
		}
		if _, err := s.host.Start("netexec", []string{built.kube + "/agnhost", "netexec",
			fmt.Sprintf("--http-port=%d", hostServerPort), fmt.Sprintf("--udp-port=%d", hostServerPort+1), "--udp-listen-addresses=" + strings.Join(listen, ",")}); err != nil {
			c.t.Fatal(err)
		}
	}
	return all
}

func serverName(i int) string { return fmt.Sprintf("p%d", i) }

func (c *cluster) serverPod(i int) *corev1.Pod {
	probe := func(h corev1.ProbeHandler) *corev1.Probe { return &corev1.Probe{ProbeHandler: h, PeriodSeconds: 1} }
	port := intstr.FromInt32(httpPort)
	return &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: serverName(i), Namespace: metav1.NamespaceDefault,
			Labels: map[string]string{"server": serverName(i), "servers": "all"}},
		Spec: corev1.PodSpec{
			NodeName: nodeNames[placement[i-1]], Hostname: serverName(i), Subdomain: "headless",
			TerminationGracePeriodSeconds: ptr.To[int64](0),
			Containers: []corev1.Container{{
				Name: "server", Image: agnhostImage, ImagePullPolicy: corev1.PullNever,
				Args: []string{"netexec", fmt.Sprintf("--http-port=%d", httpPort), fmt.Sprintf("--udp-port=%d", udpPort)},
				Ports: []corev1.ContainerPort{
					{Name: "http", ContainerPort: httpPort, HostPort: hostPort(i)},
					{Name: "udp", ContainerPort: udpPort, HostPort: hostPort(i) + 1, Protocol: corev1.ProtocolUDP},
				},
				ReadinessProbe: probe(corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/hostname", Port: port}}),
				LivenessProbe:  probe(corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: port}}),
			}},
		},
	}
}

// serverServices are the Services of one server.
func (c *cluster) serverServices(i int) []any {
	selector := map[string]string{"server": serverName(i)}
	node := c.service(serverName(i), selector)
	node.Spec.Type = corev1.ServiceTypeNodePort
	setNodePorts(node, nodePort(i))
	local := c.service(serverName(i)+"-local", selector)
	local.Spec.Type, local.Spec.ExternalTrafficPolicy = corev1.ServiceTypeNodePort, corev1.ServiceExternalTrafficPolicyLocal
	setNodePorts(local, localNodePort(i))
	all := []any{node, local}
	for _, is6 := range c.families { // by whose names clients get addresses of one family
		single := c.service(serverName(i)+"-"+familyName(is6), selector)
		single.Spec.IPFamilyPolicy, single.Spec.IPFamilies = ptr.To(corev1.IPFamilyPolicySingleStack), []corev1.IPFamily{family(is6)}
		all = append(all, single)
	}
	return all
}

// commonServices are those of all servers together.
func (c *cluster) commonServices() []any {
	selector := map[string]string{"servers": "all"}
	sticky := c.service("sticky", selector)
	sticky.Spec.SessionAffinity = corev1.ServiceAffinityClientIP
	headless := c.service("headless", selector)
	headless.Spec.ClusterIP = corev1.ClusterIPNone
	return []any{sticky, headless, c.service("empty", map[string]string{"server": "none"})}
}

func setNodePorts(s *corev1.Service, port int32) {
	for i := range s.Spec.Ports {
		s.Spec.Ports[i].NodePort = port + int32(i)
	}
}

func (c *cluster) service(name string, selector map[string]string) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceDefault},
		Spec: corev1.ServiceSpec{
			Selector: selector, IPFamilyPolicy: ptr.To(corev1.IPFamilyPolicyPreferDualStack),
			Ports: []corev1.ServicePort{
				{Name: "http", Port: serviceHTTP, TargetPort: intstr.FromInt32(httpPort)},
				{Name: "udp", Port: serviceUDP, TargetPort: intstr.FromInt32(udpPort), Protocol: corev1.ProtocolUDP},
			},
		},
	}
}

func familyName(is6 bool) string { return strings.ToLower(string(family(is6))) }

func family(is6 bool) corev1.IPFamily {
	if is6 {
		return corev1.IPv6Protocol
	}
	return corev1.IPv4Protocol
}

// clusterIP is a Service's address.
func (c *cluster) clusterIP(name string, is6 bool) netip.Addr {
	c.t.Helper()
	s, err := c.api.Client.CoreV1().Services(metav1.NamespaceDefault).Get(c.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	i := slices.IndexFunc(s.Spec.ClusterIPs, func(ip string) bool { return strings.Contains(ip, ":") == is6 })
	if i < 0 {
		c.t.Fatalf("Service %s has no %s address: %v", name, family(is6), s.Spec.ClusterIPs)
	}
	return netip.MustParseAddr(s.Spec.ClusterIPs[i])
}
