package kubetest

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// startTimeout is how long a program may take until it serves, on a busy machine.
	startTimeout = 2 * time.Minute
	// lookInterval is how often it is asked whether it serves.
	lookInterval = 20 * time.Millisecond
)

// The cluster's addresses of Services: no test uses them, the API server asks for them.
const serviceRanges = "10.96.0.0/16,fd96::/112"

// StartAPI starts the API server, also again after StopAPI, at the same address.
func (c *Cluster) StartAPI(ctx context.Context) error {
	p, err := c.run("kube-apiserver",
		"--etcd-servers="+c.o.Etcd,
		"--bind-address="+c.Addr.Addr().String(), fmt.Sprintf("--secure-port=%d", c.Addr.Port()),
		"--advertise-address="+c.Addr.Addr().String(), "--endpoint-reconciler-type=none", // nobody comes by the Service
		"--service-cluster-ip-range="+serviceRanges,
		"--tls-cert-file="+c.creds.cert, "--tls-private-key-file="+c.creds.key,
		"--token-auth-file="+c.creds.tokens, "--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+c.creds.accountKey, "--service-account-signing-key-file="+c.creds.accountKey,
	)
	if err != nil {
		return err
	}
	c.api = p
	return c.awaitAPI(ctx)
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
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.gone:
			return fmt.Errorf("%s ended; its log ends with:\n%s", p.name, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%w; the log of %s ends with:\n%s", err, p.name, p.tail())
		case <-ticker.C:
		}
	}
}

// StopAPI kills the API server, as the end of its machine does; etcd keeps the
// data for StartAPI. (Asked to end, it waits for its watchers for a minute.)
func (c *Cluster) StopAPI() error { return c.api.kill() }

// FreezeAPI makes the API server stand still: connections stay up and nothing is answered.
func (c *Cluster) FreezeAPI() error {
	if err := c.api.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return c.api.awaitStop()
}

// ThawAPI ends FreezeAPI.
func (c *Cluster) ThawAPI() error { return c.api.signal(syscall.SIGCONT) }
