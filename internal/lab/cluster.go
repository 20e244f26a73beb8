package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
)

// EtcdCluster is an etcd of three members, all on one host.
type EtcdCluster struct {
	host    *Host
	tls     *EtcdTLS
	members [3]*Process
}

// memberPorts lie between the ports of one member and those of the next.
const memberPorts = 10000

// StartEtcdCluster runs three members of the program etcd on the host and waits until all serve;
// with files, clients over TLS only. From then on every host's environment names the three as the
// store.
func (h *Host) StartEtcdCluster(ctx context.Context, files *EtcdTLS) (*EtcdCluster, error) {
	if len(h.Addrs) == 0 {
		return nil, fmt.Errorf("%s: a host without an address cannot serve a store", h.Name)
	}
	c := &EtcdCluster{host: h, tls: files}
	errs := make([]error, len(c.members))
	var urls []string
	var all sync.WaitGroup
	for i := range c.members {
		urls = append(urls, c.clientURL(i))
		all.Go(func() { errs[i] = c.Start(ctx, i+1) }) // none serves before most of them run
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	h.lab.setEndpoints(strings.Join(urls, ","))
	return c, nil
}

// Start runs member n, from 1, and waits until it serves. If it ran before it has its data.
func (c *EtcdCluster) Start(ctx context.Context, n int) (err error) {
	c.members[n-1], err = c.host.startReady(ctx, c.name(n-1), c.args(n-1))
	return err
}

// Kill ends member n, from 1, at once, as when its machine dies.
func (c *EtcdCluster) Kill(n int) { c.members[n-1].Kill() }

func (c *EtcdCluster) args(i int) []string {
	peers := make([]string, len(c.members))
	for j := range peers {
		peers[j] = c.name(j) + "=" + peerURL(j)
	}
	args := []string{string(EtcdExternal), "--name", c.name(i), "--data-dir", filepath.Join(c.host.dir, c.name(i)),
		"--logger", "zap", "--log-level", "warn",
		"--listen-client-urls", c.clientURL(i), "--advertise-client-urls", c.clientURL(i),
		"--listen-peer-urls", peerURL(i), "--initial-advertise-peer-urls", peerURL(i),
		"--initial-cluster", strings.Join(peers, ",")}
	if c.tls == nil {
		return args
	}
	return append(args, c.tls.flags()...)
}

func (c *EtcdCluster) name(i int) string { return fmt.Sprintf("etcd%d", i+1) }

func (c *EtcdCluster) clientURL(i int) string {
	scheme := "http://"
	if c.tls != nil {
		scheme = "https://"
	}
	return scheme + netip.AddrPortFrom(c.host.Addrs[0].Addr(), uint16(etcdPort+i*memberPorts)).String()
}

func peerURL(i int) string { return fmt.Sprintf("http://127.0.0.1:%d", etcdPort+1+i*memberPorts) }
