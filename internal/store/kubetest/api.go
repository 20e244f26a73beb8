package kubetest

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// startTimeout is the longest time until a program serves, on a busy machine.
	startTimeout = 2 * time.Minute
	// pollInterval is how often it is checked whether it serves.
	pollInterval = 20 * time.Millisecond
)

// serviceRanges are the addresses of Services. APIService is the first of them.
const serviceRanges = "10.96.0.0/16,fd96::/112"

// StartAPI starts the API server, after StopAPI at the same address.
func (c *Cluster) StartAPI(ctx context.Context) error {
	args := []string{
		"--etcd-servers=" + c.o.Etcd,
		"--bind-address=" + c.Addr.Addr().String(), fmt.Sprintf("--secure-port=%d", c.Addr.Port()),
		"--advertise-address=" + c.Addr.Addr().String(),
		"--service-cluster-ip-range=" + serviceRanges,
		"--tls-cert-file=" + c.creds.cert, "--tls-private-key-file=" + c.creds.key,
		"--token-auth-file=" + c.creds.tokens,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.creds.accountKey, "--service-account-signing-key-file=" + c.creds.accountKey,
	}
	p, err := run(c.o.Launch, c.o.APIServer, filepath.Join(c.o.Dir, "kube-apiserver.log"), append(args, c.nodeArgs()...))
	if err != nil {
		return err
	}
	c.api = p
	return c.awaitAPI(ctx)
}

// nodeArgs are the API server's arguments that depend on whether there are
// kubelets, whose pods use the Service of the API server.
func (c *Cluster) nodeArgs() []string {
	if len(c.o.Nodes) == 0 {
		return []string{"--endpoint-reconciler-type=none", "--authorization-mode=RBAC"}
	}
	return []string{
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
		"--kubelet-client-certificate=" + c.creds.kubeletClientCert, "--kubelet-client-key=" + c.creds.kubeletClientKey,
		"--kubelet-preferred-address-types=InternalIP",
	}
}

func (c *Cluster) run(name string, args ...string) (*process, error) {
	return run(c.o.Launch, filepath.Join(c.bin, name), filepath.Join(c.o.Dir, name+".log"), args)
}

// awaitAPI returns when the API server says that it is ready.
func (c *Cluster) awaitAPI(ctx context.Context) error {
	err := c.await(ctx, c.api, func(ctx context.Context) error {
		return c.Client.CoreV1().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
	if err != nil {
		return fmt.Errorf("wait for the API server at %s: %w", c.Addr, err)
	}
	return nil
}

// await calls try until it succeeds, or p ends.
func (c *Cluster) await(ctx context.Context, p *process, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended; its log ends with:\n%s", p.name, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%w; the log of %s ends with:\n%s", err, p.name, p.tail())
		case <-ticker.C:
		}
	}
}

// StopAPI kills the API server, as a failure of its machine does; etcd keeps the
// data for StartAPI. (On SIGTERM it waits for its watchers for a minute.)
func (c *Cluster) StopAPI() error { return c.api.kill() }

// FreezeAPI stops all threads of the API server: connections stay up, and there
// are no responses.
func (c *Cluster) FreezeAPI() error {
	if err := c.api.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return c.api.awaitStop()
}

// ThawAPI ends FreezeAPI.
func (c *Cluster) ThawAPI() error { return c.api.signal(syscall.SIGCONT) }
