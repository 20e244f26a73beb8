package kubetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"path/filepath"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/weft-net/weft/internal/store/embedded"
	"github.com/weft-net/weft/test/programs"
)

// Options say where a control plane runs.
type Options struct {
	// Dir is for data, credentials and logs. It must exist, and its path must be
	// short (under 90 bytes), because it holds etcd's socket.
	Dir string

	// Addr is where the API server serves; zero is a free port of 127.0.0.1.
	Addr netip.AddrPort

	// Etcd is the URL of an etcd that the caller runs; "" is one of this
	// module's version, run in this process.
	Etcd string

	// APIServer is the path of a kube-apiserver of another version; "" is the
	// one of test/kube.
	APIServer string

	// Nodes are hosts that run a kubelet. With any, all controllers run, and
	// the cluster gives every node and component the permissions that they
	// have in a cluster of kubeadm, and no more: StartScheduler,
	// KubeletConfig and ProxyConfig.
	Nodes []string

	// Launch starts a program, and Dial connects to the API server, where Addr
	// is. Both nil: this machine.
	Launch func(*exec.Cmd) error
	Dial   func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Cluster is a running control plane. Its methods may not be called at the
// same time, except through Client.
type Cluster struct {
	Addr   netip.AddrPort       // of the API server
	Config *rest.Config         // the admin's
	Client kubernetes.Interface // the admin's

	o           Options
	bin         string           // the directory of Kubernetes' programs
	etcd        *embedded.Server // nil if the caller runs one
	creds       credentials
	http        *http.Client // Client's connections; nil before the first start
	api         *process     // nil before the first start
	controllers *process     // nil if never started
	scheduler   *process     // nil if never started
}

// Start starts etcd and the API server and returns when it serves.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	c := &Cluster{o: o, Addr: o.Addr}
	if o.Launch == nil {
		c.o.Launch = launchHere
	}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("run Kubernetes in %s: %w", o.Dir, err), c.Close())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	var err error
	if c.bin, err = programs.Kube.Dir(ctx); err != nil {
		return err
	}
	if c.o.APIServer == "" {
		c.o.APIServer = filepath.Join(c.bin, "kube-apiserver")
	}
	if c.o.Etcd == "" {
		if c.etcd, err = embedded.Serve(ctx, embedded.ServerOptions{Dir: filepath.Join(c.o.Dir, "etcd")}); err != nil {
			return err
		}
		c.o.Etcd = c.etcd.Endpoints()[0]
	}
	if !c.Addr.IsValid() {
		if c.Addr, err = freePort(); err != nil {
			return err
		}
	}
	if c.creds, err = newCredentials(c.o.Dir, c.Addr, c.o.Nodes); err != nil {
		return err
	}
	if c.Config, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig()); err != nil {
		return err
	}
	c.Config.Dial = c.o.Dial
	c.Config.QPS = -1 // no rate limit
	if c.http, err = rest.HTTPClientFor(c.Config); err != nil {
		return err
	}
	if c.Client, err = kubernetes.NewForConfigAndClient(c.Config, c.http); err != nil {
		return err
	}
	return c.StartAPI(ctx)
}

// Kubeconfig is the path of the admin's.
func (c *Cluster) Kubeconfig() string { return c.creds.path("admin") }

// freePort returns an unused port of the loopback, below the kernel's ephemeral
// ports: a connection could get one of those before the API server listens.
func freePort() (netip.AddrPort, error) {
	const lowest, number, tries = 20000, 12000, 100
	var err error
	for range tries {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(lowest+rand.IntN(number)))
		var l net.Listener
		if l, err = net.Listen("tcp", addr.String()); err == nil {
			return addr, l.Close()
		}
	}
	return netip.AddrPort{}, fmt.Errorf("find a free port: %w", err)
}

// Close kills everything that the cluster's methods started. The caller's
// watches and informers should have ended before.
func (c *Cluster) Close() error {
	var errs []error
	for _, p := range []*process{c.scheduler, c.controllers, c.api} {
		if p != nil {
			errs = append(errs, p.kill())
		}
	}
	if c.http != nil {
		c.http.CloseIdleConnections()
	}
	if c.etcd != nil {
		errs = append(errs, c.etcd.Close())
	}
	return errors.Join(errs...)
}
