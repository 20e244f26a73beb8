package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/store/kubetest"
)

// kubeResult is one line of the table: an agent on Kubernetes with so many
// other nodes.
type kubeResult struct {
	Nodes    int     `json:"nodes"`
	Join     float64 `json:"joinSeconds"`   // from the first node made until the kernel has all rows
	JoinCPU  float64 `json:"joinCPUMicros"` // of the agent, for one node of them
	Start    float64 `json:"startSeconds"`  // from exec to READY with all rows in place; median
	CPU      float64 `json:"cpuSeconds"`    // until settled
	Resident float64 `json:"residentMB"`    // at rest
	Anon     float64 `json:"anonymousMB"`   // of it not backed by the program's file
	Peak     float64 `json:"peakMB"`        // at any time
	Requests int     `json:"startRequests"` // until settled
	Route    float64 `json:"routeMillis"`   // from the patch of one more node until its route; median
	Beat     float64 `json:"beatCPUMicros"` // for one heartbeat of a node
	Rest     float64 `json:"restCPUMillis"` // CPU in Idle seconds without heartbeats
	Asked    int     `json:"restRequests"`  // made in that time, and during the heartbeats
	Idle     float64 `json:"restSeconds"`
}

var kubeHeadings = []string{
	"nodes", "join s", "join us/node", "start s", "cpu s", "rss MB", "anon MB", "peak MB",
	"requests", "route ms", "beat us", "rest ms", "asked",
}

func (r kubeResult) cells() []string {
	f := func(digits int, v float64) string { return fmt.Sprintf("%.*f", digits, v) }
	return []string{
		fmt.Sprint(r.Nodes), f(2, r.Join), f(0, r.JoinCPU), f(3, r.Start), f(2, r.CPU),
		f(1, r.Resident), f(1, r.Anon), f(1, r.Peak), fmt.Sprint(r.Requests), f(1, r.Route), f(1, r.Beat), f(1, r.Rest), fmt.Sprint(r.Asked),
	}
}

// kubeNodes are the sizes of cluster; the largest is what Kubernetes supports.
var kubeNodes = []int{100, 1000, 5000}

// heartbeats are how many are made to see what one costs.
const heartbeats = 1000

// apiPort is where the API server serves on the hub.
const apiPort = 6443

// measureKube runs every size on a control plane of its own.
func measureKube(ctx context.Context, o *options) ([]kubeResult, error) {
	if err := addressHub(); err != nil {
		return nil, fmt.Errorf("address the API server's host: %w", err)
	}
	var all []kubeResult
	for _, n := range kubeNodes {
		progress("kubernetes, %d nodes ...", n)
		r, err := measureCluster(ctx, o, n)
		if err != nil {
			return nil, fmt.Errorf("kubernetes with %d nodes: %w", n, err)
		}
		all = append(all, r)
	}
	return all, nil
}

func measureCluster(ctx context.Context, o *options, n int) (r kubeResult, err error) {
	dir := filepath.Join(o.dir, fmt.Sprintf("kube-%d", n))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return r, err
	}
	control, err := kubetest.Start(ctx, kubetest.Options{Dir: dir, Addr: netip.AddrPortFrom(hubAddr, apiPort)})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, control.Close()) }()
	c := &cluster{Cluster: control, options: o, dir: dir, n: n, result: &r}
	r.Nodes, r.Idle = n, o.idle.Seconds()
	if err := c.prepare(ctx); err != nil {
		return r, err
	}
	if err := c.session(ctx, "joins", c.joins); err != nil {
		return r, err
	}
	var starts []time.Duration
	for run := range o.runs {
		last := func(ctx context.Context) error { return nil }
		if run == o.runs-1 {
			last = c.long
		}
		if err := c.session(ctx, fmt.Sprintf("run-%d", run), last); err != nil {
			return r, err
		}
		starts = append(starts, c.took)
	}
	r.Start = median(starts).Seconds()
	return r, nil
}

// session runs an agent on a new host, and work with it.
func (c *cluster) session(ctx context.Context, name string, work func(context.Context) error) (err error) {
	if c.world, err = newWorld(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.world.close()) }()
	dir := filepath.Join(c.dir, name)
	c.run = filepath.Join(dir, "run")
	args := []string{"--kube-subnet-mgr", "--kubeconfig-file", c.Kubeconfig(), "--net-config-path", c.config()}
	c.agent, c.took, err = start(ctx, c.world, c.options, args, []string{"NODE_NAME=" + ownNode}, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.agent.stop()) }()
	if err := c.settled(ctx, c.made); err != nil {
		return err
	}
	return work(ctx)
}

// joins makes all nodes while the agent runs, each with two events: the node
// is registered, and its agent announces itself.
func (c *cluster) joins(ctx context.Context) error {
	before, err := c.agent.cpu()
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := c.make(ctx, 0, c.n); err != nil {
		return err
	}
	if err := c.settled(ctx, c.n); err != nil {
		return err
	}
	c.result.Join = time.Since(begin).Seconds()
	after, err := c.agent.cpu()
	c.result.JoinCPU = float64((after - before).Microseconds()) / float64(c.n)
	return err
}

// long measures everything about an agent that found all nodes there.
func (c *cluster) long(ctx context.Context) error {
	time.Sleep(settle)
	for _, step := range []func(context.Context) error{c.rest, c.beats, c.more} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	m, err := c.agent.memory()
	c.result.Peak = megabytes(m.peak)
	return err
}

func (c *cluster) rest(ctx context.Context) error {
	before, err := c.agent.cpu()
	if err != nil {
		return err
	}
	c.result.CPU = before.Seconds()
	if c.result.Requests, err = c.requests(ctx); err != nil {
		return err
	}
	if before, err = c.agent.cpu(); err != nil { // to be asked costs, too
		return err
	}
	time.Sleep(c.idle)
	after, err := c.agent.cpu()
	if err != nil {
		return err
	}
	c.result.Rest = millis(after - before)
	m, err := c.agent.memory()
	c.result.Resident, c.result.Anon = megabytes(m.resident), megabytes(m.anonymous)
	return err
}

func (c *cluster) beats(ctx context.Context) error {
	before, err := c.agent.cpu()
	if err != nil {
		return err
	}
	if err := c.beat(ctx, heartbeats); err != nil {
		return err
	}
	time.Sleep(time.Second) // the last ones arrive
	after, err := c.agent.cpu()
	if err != nil {
		return err
	}
	c.result.Beat = float64((after - before).Microseconds()) / heartbeats
	asked, err := c.requests(ctx)
	c.result.Asked = asked - c.result.Requests
	return err
}

// more lets one node after the other join, and times each.
func (c *cluster) more(ctx context.Context) error {
	var r *rtnetlink
	err := c.world.ns.Do(func() (err error) {
		r, err = openRTNetlink(unix.RTNLGRP_IPV4_ROUTE)
		return err
	})
	if err != nil {
		return err
	}
	defer r.close()
	if err := unix.SetsockoptTimeval(r.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}); err != nil {
		return err
	}
	var took []time.Duration
	for range c.puts {
		p := peerAt(c.made)
		if err := c.register(ctx, c.made); err != nil {
			return err
		}
		begin := time.Now()
		if err := c.announce(ctx, c.made); err != nil {
			return err
		}
		if err := r.awaitRoute(p.subnet.Addr().AsSlice()); err != nil {
			return fmt.Errorf("wait for the route to %s: %w", p.subnet, err)
		}
		took = append(took, time.Since(begin))
		c.made++
		time.Sleep(changePause)
	}
	c.result.Route = millis(median(took))
	return nil
}

// settled waits until the kernel has the rows of n peers.
func (c *cluster) settled(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := verify(c.world, expected(vxlanBackend, n))
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// requests is how many the agent says it has made.
func (c *cluster) requests(ctx context.Context) (int, error) {
	client, err := api.DialDir(ctx, c.run)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	s, err := client.Status(ctx)
	n := 0
	for _, k := range s.Store.Requests {
		n += k
	}
	if err == nil && n == 0 {
		err = errors.New("the agent says it has asked for nothing")
	}
	return n, err
}

// etcdArgs are an agent's on etcd.
func (n *network) etcdArgs(o *options) []string {
	return strings.Fields("--etcd-endpoints " + o.endpoint + " --etcd-prefix " + n.prefix)
}
