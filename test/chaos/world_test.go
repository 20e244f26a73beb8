package chaos

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/lab"
)

// startLimit is for programs to get ready, with the race detector on a busy machine.
const startLimit = time.Minute

// world is the lab under test.
type world struct {
	t       *testing.T
	ctx     context.Context
	lab     *lab.Lab
	etcd    *lab.Host
	store   *lab.Process
	members []*member
	canary  map[string]string // what stood by a foreign command on a host before any fault
}

// member is a host of the network.
type member struct {
	*lab.Host
	agent  *lab.Process
	pod    *lab.Pod
	subnet string // as in subnet.env, which must never change
	moved  bool   // its uplink has the second address
}

// topology is six hosts on two segments, and the store behind the router.
func topology() lab.Topology {
	t := lab.Demo()
	for _, h := range []struct{ name, segment, v4, v6 string }{
		{"h5", "a", "10.4.7.25", "fd04:7::25"},
		{"h6", "b", "10.4.8.26", "fd04:8::26"},
	} {
		t.Hosts = append(t.Hosts, lab.HostSpec{
			Name: h.name, Segment: h.segment,
			Addrs: []netip.Addr{netip.MustParseAddr(h.v4), netip.MustParseAddr(h.v6)},
		})
	}
	return t
}

func build(t *testing.T) *world {
	l, err := lab.New(topology(), lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, ctx: t.Context(), lab: l, canary: map[string]string{}}
	t.Cleanup(w.end)
	w.etcd, err = l.Host(lab.StoreHost)
	w.check(err)
	w.check(w.startStore())
	w.check(w.configure(configs[0]))
	for _, name := range l.HostNames() {
		if name != lab.StoreHost {
			h, err := l.Host(name)
			w.check(err)
			w.members = append(w.members, w.join(h))
		}
	}
	return w
}

// join starts an agent and a pod on h, beside things that are none of weft's business.
func (w *world) join(h *lab.Host) *member {
	ctx, cancel := context.WithTimeout(w.ctx, startLimit)
	defer cancel()
	_, err := h.Run(ctx, "sh", "-ec", strangers)
	w.check(err)
	m := &member{Host: h}
	m.agent, err = h.StartAgent(ctx)
	w.check(err)
	m.pod, err = h.AddPod("p" + strings.TrimPrefix(h.Name, "h"))
	w.check(err)
	m.subnet = w.subnetOf(h)
	for _, question := range canaries {
		w.canary[h.Name+question], err = h.Run(ctx, "sh", "-c", question)
		w.check(err)
	}
	return m
}

func (w *world) subnetOf(h *lab.Host) string {
	env, err := h.Subnet()
	w.check(err)
	return fmt.Sprint(env.Gateways)
}

func (w *world) startStore() (err error) {
	ctx, cancel := context.WithTimeout(w.ctx, startLimit)
	defer cancel()
	w.store, err = w.etcd.StartEtcd(ctx, lab.EtcdExternal)
	return err
}

// etcdctl runs on the store's host. It fails while the store hangs.
func (w *world) etcdctl(args ...string) (string, error) {
	return w.etcd.Run(w.ctx, append([]string{"etcdctl", "--endpoints=" + w.lab.Endpoints(), "--command-timeout=5s"}, args...)...)
}

func (w *world) configure(doc string) error {
	_, err := w.etcdctl("put", "/coreos.com/network/config", doc)
	return err
}

func (m *member) start() (err error) {
	m.agent, err = m.Start("weft", []string{"weft", "up"})
	return err
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// end takes the lab down; of a failed run the agents' logs are kept.
func (w *world) end() {
	if w.t.Failed() {
		for _, m := range w.members {
			w.t.Logf("the agent's log on %s ends with:\n%s", m.Name, m.AgentLog(60))
		}
	}
	for _, m := range w.members {
		_ = syscall.Kill(m.agent.PID(), syscall.SIGCONT) // no stopped process is left behind
	}
	if err := w.lab.Close(); err != nil {
		w.t.Errorf("take the lab down: %v", err)
	}
}
