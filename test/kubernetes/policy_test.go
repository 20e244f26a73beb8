package kubernetes

import (
	_ "embed"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// policies are NetworkPolicies on the servers p1 to p4 and on a pod in each of the namespaces friends and strangers.
//
//go:embed testdata/policies.yml
var policies string

// policyCombinations differ in the way from pods to their node and in the place of the rules of Services.
var policyCombinations = []combination{
	{"weft", "vxlan", "nftables"},
	{"flannel", "vxlan", "iptables"},
}

// upstreamPolicies are Kubernetes' own tests of NetworkPolicies that run, by a part of their names.
var upstreamPolicies = []string{
	"NetworkPolicy between server and client should support a 'default-deny-ingress' policy",
	"NetworkPolicy between server and client should enforce policy to allow traffic only from a different namespace",
	"NetworkPolicy between server and client should allow egress access on one named port",
	"NetworkPolicy between server and client should enforce except clause while egress access to server in CIDR block",
}

// TestNetworkPolicy enforces NetworkPolicies with kube-router, whose rules stand in iptables' FORWARD beside weft's: what a
// policy denies stays denied and what it allows works, also while weft restarts. Of IPv6 kube-router 2.1 enforces nothing: its
// rules name sets that do not exist, since it creates them with a prefix.
func TestNetworkPolicy(t *testing.T) {
	if *run != "full" {
		t.Skip("make test-kubernetes-full builds kube-router")
	}
	for i, x := range policyCombinations {
		t.Run(x.String(), func(t *testing.T) {
			c, servers := startChart(t, x)
			c.startPolicyController()
			paths := c.policyPaths(append(servers, c.namespacedServers()...))
			fmt.Println(c.takeAll(x.String()+", without policies", allAnswered(paths)))
			c.apply("policies", policies)
			c.awaitPolicies(paths)
			fmt.Println(c.takeAll(x.String()+", with policies", paths))
			w := c.watch(paths)
			c.must("kubectl", "--namespace", "weft", "rollout", "restart", "daemonset/weft")
			c.must("kubectl", "--namespace", "weft", "rollout", "status", "daemonset/weft", "--timeout=3m")
			w.stop("rolling restart of weft's DaemonSet with NetworkPolicies")
			fmt.Println(c.takeAll(x.String()+", with policies, after weft's restart", paths))
			c.must("kubectl", "delete", "networkpolicies", "--all", "--all-namespaces")
			fmt.Println(c.takeAll(x.String()+", policies deleted", allAnswered(paths)))
			if i == 0 {
				c.runSpecs("NetworkPolicy, "+x.String(), matching(t, listSpecs(t), upstreamPolicies))
			}
		})
	}
}

// startPolicyController runs kube-router on each node for NetworkPolicies alone.
func (c *cluster) startPolicyController() {
	c.t.Helper()
	for _, n := range c.nodes {
		args := []string{built.policy + "/kube-router", "--run-firewall", "--run-router=false", "--run-service-proxy=false",
			"--kubeconfig=" + c.api.Kubeconfig(), "--hostname-override=" + n.Name, "--service-cluster-ip-range=10.96.0.0/16"}
		if err := n.daemon("kube-router", args...); err != nil {
			c.t.Fatal(err)
		}
	}
}

// namespacedServers starts a server in each of two more namespaces, on the third node.
func (c *cluster) namespacedServers() (all []server) {
	c.t.Helper()
	node := c.nodes[2]
	var objects []any
	for _, name := range []string{"friends", "strangers"} {
		objects = append(objects, &corev1.Namespace{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: metav1.ObjectMeta{Name: name},
		})
		pod := c.serverPod(4)
		pod.Name, pod.Namespace, pod.Spec.NodeName, pod.Spec.Hostname = name, name, node.Name, name
		pod.Labels = map[string]string{"server": name}
		for i := range pod.Spec.Containers[0].Ports {
			pod.Spec.Containers[0].Ports[i].HostPort = 0
		}
		objects = append(objects, pod)
	}
	c.applyObjects("namespaced", objects...)
	c.await("servers in other namespaces", func() error { return c.podsReady(len(nodeNames) + 3 + len(placement)) })
	for _, name := range []string{"friends", "strangers"} {
		all = append(all, c.podServer(name, name, node))
	}
	return all
}

// policyPaths are paths between pods that the policies allow, and others that they deny, to each server's address and to
// that of its Service.
func (c *cluster) policyPaths(servers []server) (all []path) {
	c.t.Helper()
	named := map[string]server{}
	for _, s := range servers {
		named[s.name] = s
	}
	add := func(row, from, to string, denied bool) {
		base := path{row: row, from: named[from], server: to, unserved: denied}
		if !denied {
			base.source = named[from].addr(false)
		}
		all = append(all, base.both(named[to].addr(false).String(), httpPort, udpPort)...)
		all = append(all, base.as(row+", by its Service").both(c.clusterIP(to, false).String(), serviceHTTP, serviceUDP)...)
	}
	add("ingress from a pod that is allowed, on another node", "p3", "p1", false)
	add("ingress from a pod that is denied, on the same node", "p2", "p1", true)
	add("ingress from a pod that is denied, on another node", "p4", "p1", true)
	add("ingress from an allowed namespace", "friends", "p2", false)
	add("ingress from another namespace", "strangers", "p2", true)
	add("ingress to a pod without a policy", "strangers", "p3", false)
	add("egress to an allowed pod", "p4", "p3", false)
	add("egress to another pod, which accepts it", "p4", "p2", true)
	return all
}

// allAnswered are the same paths without policies.
func allAnswered(paths []path) (all []path) {
	for _, p := range paths {
		if p.unserved {
			p.unserved, p.source = false, p.from.addr(p.is6)
		}
		all = append(all, p)
	}
	return all
}

// awaitPolicies waits until the first packets of every path meet with what the policies say.
func (c *cluster) awaitPolicies(paths []path) {
	c.t.Helper()
	var all sync.WaitGroup
	for _, p := range paths {
		all.Go(func() {
			err := within(c.t.Context(), settleLimit, func() error {
				_, right, err := p.take(c.t.Context())
				if right == 0 && err == nil {
					err = fmt.Errorf("%s: nothing came back", p)
				}
				return err
			})
			if err != nil {
				c.t.Errorf("wait for the policies: %s: %v", p, err)
			}
		})
	}
	all.Wait()
}

// watch uses the paths by TCP again and again until it is stopped.
type watch struct {
	c                             *cluster
	done                          chan struct{}
	all                           sync.WaitGroup
	sent, failed, tried, answered atomic.Int64
}

func (c *cluster) watch(paths []path) *watch {
	w := &watch{c: c, done: make(chan struct{})}
	for _, p := range paths {
		if p.udp {
			continue
		}
		w.all.Go(func() {
			for {
				select {
				case <-w.done:
					return
				default:
				}
				w.request(p)
			}
		})
	}
	return w
}

func (w *watch) request(p path) {
	_, err := p.ask(w.c.t.Context(), "hostname", 1)
	if p.unserved {
		w.tried.Add(1)
		if err == nil {
			w.answered.Add(1)
			w.c.t.Errorf("was answered, which a policy denies: %s", p)
		}
		return
	}
	w.sent.Add(1)
	if err != nil {
		w.failed.Add(1)
		w.c.t.Errorf("failed, which the policies allow: %s: %v", p, err)
	}
}

// stop ends the requests and prints their numbers.
func (w *watch) stop(during string) {
	w.c.t.Helper()
	close(w.done)
	w.all.Wait()
	if w.sent.Load() == 0 || w.tried.Load() == 0 {
		w.c.t.Errorf("%s: no requests were made", during)
	}
	w.c.report(during, fmt.Sprintf("allowed: %d of %d requests failed; denied: %d of %d requests answered",
		w.failed.Load(), w.sent.Load(), w.answered.Load(), w.tried.Load()))
}
