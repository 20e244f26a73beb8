package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/store/etcdtest"
	"github.com/weft-net/weft/internal/store/kubetest"
	"github.com/weft-net/weft/test/programs"
)

const (
	// startLimit is how long a program may take to be ready, with the race detector on a busy machine.
	startLimit = 60 * time.Second
	// settleLimit is how long the network may take to follow a change, also in an emulated machine
	// on a busy one (test/kernels).
	settleLimit = 2 * time.Minute
	// scriptLimit ends whatever a script waits for.
	scriptLimit = 10 * time.Minute
	logLines    = 30
)

type worldKey struct{}

// world is what the commands of one script share.
type world struct {
	tb      testing.TB
	ctx     context.Context
	cancel  context.CancelFunc
	lab     *lab.Lab
	etcd    *lab.Process
	cluster *lab.EtcdCluster
	nextCA  *etcdtest.CA // that certificates come from next
	kube    *kubetest.Cluster
	pods    map[string]*lab.Pod
	pingers map[string]*lab.Pinger
	streams map[string]*lab.Stream
	wires   map[string]*lab.Wire

	containerds map[string]*lab.Containerd // by host

	dockers    map[string]*lab.Process // by host
	containers map[string]*lab.Container
	image      string // archive of weft's image; "" before the first node
}

func newWorld(tb testing.TB) *world {
	ctx, cancel := context.WithTimeout(context.Background(), scriptLimit)
	return &world{
		tb: tb, ctx: ctx, cancel: cancel,
		pods: map[string]*lab.Pod{}, pingers: map[string]*lab.Pinger{}, streams: map[string]*lab.Stream{}, wires: map[string]*lab.Wire{},
		dockers: map[string]*lab.Process{}, containers: map[string]*lab.Container{},
		containerds: map[string]*lab.Containerd{},
	}
}

// end takes the world down, and shows the agents' logs if the script failed.
func (w *world) end() {
	w.cancel()
	for _, p := range w.pingers {
		p.Stop()
	}
	for _, s := range w.streams {
		s.Stop()
	}
	for _, wire := range w.wires {
		_, _ = wire.Stop() // the script has failed
	}
	if w.kube != nil {
		if err := w.kube.Close(); err != nil {
			w.tb.Errorf("end the cluster's control plane: %v", err)
		}
	}
	if w.lab == nil {
		return
	}
	if w.tb.Failed() {
		for _, name := range w.lab.HostNames() {
			if h, err := w.lab.Host(name); err == nil && len(h.Agents()) > 0 {
				w.tb.Logf("the agent's log on %s ends with:\n%s", name, h.AgentLog(logLines))
			}
			if docker := w.dockers[name]; docker != nil {
				w.tb.Logf("dockerd's log on %s ends with:\n%s", name, docker.Tail(logLines))
			}
			if containerd := w.containerds[name]; containerd != nil {
				w.tb.Logf("containerd's log on %s ends with:\n%s", name, containerd.Tail(logLines))
			}
		}
	}
	if err := w.lab.Close(); err != nil {
		w.tb.Errorf("take the lab down: %v", err)
	}
}

// build makes the lab, and tells the script where each host's directory is: $h1_dir.
func (w *world) build(ts *testscript.TestScript, topology lab.Topology) {
	if w.lab != nil {
		ts.Fatalf("there is a lab already")
	}
	binary, err := exec.LookPath("weft")
	ts.Check(err)
	plugins, err := programs.CNI.Dir(w.ctx)
	ts.Check(err)
	w.lab, err = lab.New(topology, lab.Options{Binary: binary, CNI: plugins})
	ts.Check(err)
	for _, name := range w.lab.HostNames() {
		h, err := w.lab.Host(name)
		ts.Check(err)
		ts.Setenv(name+"_dir", h.Dir())
	}
}

func worldOf(ts *testscript.TestScript) *world {
	w, ok := ts.Value(worldKey{}).(*world)
	if !ok {
		ts.Fatalf("this script has no world")
	}
	return w
}

func (w *world) host(ts *testscript.TestScript, name string) *lab.Host {
	if w.lab == nil {
		ts.Fatalf("there is no lab yet: begin the script with lab")
	}
	h, err := w.lab.Host(name)
	ts.Check(err)
	return h
}

func (w *world) pod(ts *testscript.TestScript, name string) *lab.Pod {
	p, ok := w.pods[name]
	if !ok {
		ts.Fatalf("there is no pod %s", name)
	}
	return p
}

// within calls try again and again until it returns nil; its last error is the reason for failing.
func (w *world) within(limit time.Duration, try func() error) error {
	ctx, cancel := context.WithTimeout(w.ctx, limit)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", limit, err)
		case <-ticker.C:
		}
	}
}
