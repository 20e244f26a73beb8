package e2e

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/store/kubetest"
	"github.com/weft-net/weft/test/programs"
)

// apiPort is where the API server serves on host etcd.
const apiPort = 6443

// clusterCIDR is what nodes get their PodCIDR of.
func clusterCIDR(is6 bool) netip.Prefix {
	if is6 {
		return netip.MustParsePrefix("fd00:244::/48")
	}
	return netip.MustParsePrefix("10.244.0.0/16")
}

// kube ipv4|ipv6|dual: a control plane on host etcd, with weft's manifest applied, for agents of which
// net-conf.json in the script's directory is the network. kube stop|start|freeze|thaw: its API server.
func cmdKube(ts *testscript.TestScript, neg bool, args []string) {
	const usage = "kube ipv4|ipv6|dual, kube stop|start|freeze|thaw"
	want(ts, neg, args, 1, 1, usage)
	w := worldOf(ts)
	if w.kube == nil {
		w.startKube(ts, families(ts, args[0]))
		return
	}
	switch args[0] {
	case "stop":
		ts.Check(w.kube.StopAPI())
	case "start":
		ts.Check(w.kube.StartAPI(w.ctx))
	case "freeze":
		ts.Check(w.kube.FreezeAPI())
	case "thaw":
		ts.Check(w.kube.ThawAPI())
	default:
		ts.Fatalf("usage: %s", usage)
	}
}

func (w *world) startKube(ts *testscript.TestScript, is6 []bool) {
	h := w.host(ts, lab.StoreHost)
	var err error
	w.kube, err = controlPlaneOn(w.ctx, h)
	ts.Check(err)
	var cidrs []netip.Prefix
	for _, family := range is6 {
		cidrs = append(cidrs, clusterCIDR(family))
	}
	ts.Check(w.kube.StartControllers(cidrs...))
	// The manifest makes the agents' account and says what it may do.
	cmdKubectl(ts, false, []string{"apply", "-f", filepath.Join(kubernetesDir, "weft.yml")})
	w.lab.UseKubernetes(lab.Kubernetes{Dir: kubeDir(h), NetConf: ts.MkAbs("net-conf.json")})
}

// kubeDir has the files of the control plane on h.
func kubeDir(h *lab.Host) string { return filepath.Join(h.Dir(), "kube") }

// controlPlaneOn starts etcd and the API server on h.
func controlPlaneOn(ctx context.Context, h *lab.Host) (*kubetest.Cluster, error) {
	if err := os.Mkdir(kubeDir(h), 0o700); err != nil {
		return nil, err
	}
	return kubetest.Start(ctx, kubetest.Options{
		Dir:    kubeDir(h),
		Addr:   netip.AddrPortFrom(h.Addrs[0].Addr(), apiPort),
		Launch: h.StartCommand,
		Dial:   dialFrom(h),
	})
}

// dialFrom connects from a host.
func dialFrom(h *lab.Host) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
		err = h.Do(func() (err error) {
			conn, err = (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, addr)
			return err
		})
		return conn, err
	}
}

// join NAME...: Node objects as kubelets register them; each gets its PodCIDRs, and a pod object as of
// the manifest's DaemonSet, with whose token its agent comes. A pod that is there already stays, and its token.
func cmdJoin(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, unlimited, "join NAME...")
	w := worldOf(ts)
	for _, name := range args {
		_, err := w.kube.AddNode(w.ctx, name)
		ts.Check(err)
		pod, err := w.kube.AddPod(w.ctx, "weft", "weft-"+name, "weft", name)
		if apierrors.IsAlreadyExists(err) {
			continue
		}
		ts.Check(err)
		_, err = w.kube.TokenForPod(w.ctx, pod, name)
		ts.Check(err)
	}
	for _, name := range args {
		_, err := w.kube.AwaitPodCIDR(w.ctx, name)
		ts.Check(err)
	}
}

// kubectl ARG...: as the cluster's admin.
func cmdKubectl(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, false, args, 1, unlimited, "[!] kubectl ARG...")
	w := worldOf(ts)
	dir, err := programs.Kube.Dir(w.ctx)
	ts.Check(err)
	flags := []string{"--kubeconfig", w.kube.Kubeconfig(), "--cache-dir", ts.MkAbs("kubectl-cache")}
	cmdHost(ts, neg, append(append([]string{lab.StoreHost, filepath.Join(dir, "kubectl")}, flags...), args...))
}

// eventLimit is how long a problem may take to become an Event: it must have stood for 30 seconds.
const eventLimit = 30*time.Second + settleLimit

// node-event NODE REASON PATTERN: until there is such an Event of the node.
func cmdNodeEvent(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 3, 3, "node-event NODE REASON PATTERN")
	pattern, err := regexp.Compile(args[2])
	ts.Check(err)
	w := worldOf(ts)
	about := metav1.ListOptions{FieldSelector: "involvedObject.kind=Node,involvedObject.name=" + args[0] + ",reason=" + args[1]}
	ts.Check(w.within(eventLimit, func() error {
		events, err := w.kube.Client.CoreV1().Events(metav1.NamespaceDefault).List(w.ctx, about)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(events.Items, func(e corev1.Event) bool { return pattern.MatchString(e.Message) }) {
			return fmt.Errorf("no such Event among %d", len(events.Items))
		}
		return nil
	}))
}

// servicePort is where a service's pod listens; clients know another port.
const servicePort = 8080

// service NAME FROM TO SERVICE [ADDR]: start a stream to TO at the address and port of a service, which
// something on the way translates, and both directions back. TO must see FROM's own address, or ADDR, which may be a prefix.
func cmdService(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 4, 5, "service NAME FROM TO SERVICE [ADDR]")
	w := worldOf(ts)
	service, err := netip.ParseAddrPort(args[3])
	ts.Check(err)
	from, to := w.place(ts, args[1]), w.place(ts, args[2])
	is6 := service.Addr().Is6()
	expected := append(args, from.addr(ts, is6).String())[4]
	if w.streams[args[0]] != nil {
		ts.Fatalf("%s is running", args[0])
	}
	stream, err := from.StartStreamVia(w.ctx, to.Node, netip.AddrPortFrom(to.addr(ts, is6), servicePort), service)
	ts.Check(err)
	w.streams[args[0]] = stream
	if seen := stream.SeenFrom(); !prefixOf(ts, expected).Contains(seen) {
		ts.Fatalf("%s sees %s as %s, not as %s", to.Name, from.Name, seen, expected)
	}
}
