package hosts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/lab"
)

const (
	// startLimit is how long a program may take to be ready on a busy machine.
	startLimit = time.Minute
	// settleLimit is how long the network may take to follow a change.
	settleLimit = 20 * time.Second
	logLines    = 40
)

// members are the hosts with an agent and a pod.
var members = []string{"h1", "h2", "h3"}

// trial is one lab with the hosts of one configuration.
type trial struct {
	t       *testing.T
	c       configuration
	lab     *lab.Lab
	store   *lab.Host
	keepers *keepers
	pods    map[string]*lab.Pod
}

// keepers are the processes that keep the hosts' mount namespaces, by host.
type keepers struct {
	sync.Mutex
	of map[string]*lab.Process
}

func build(t *testing.T, c configuration) *trial {
	l, err := lab.New(topology(), lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tr := &trial{t: t, c: c, lab: l, keepers: &keepers{of: map[string]*lab.Process{}}, pods: map[string]*lab.Pod{}}
	t.Cleanup(tr.end)
	tr.store = tr.host(lab.StoreHost)
	tr.check(os.MkdirAll(tr.files(), 0o755))
	for _, f := range c.files {
		tr.check(os.WriteFile(filepath.Join(tr.files(), f.Name), f.Data, 0o644))
	}
	return tr
}

// in is the same trial within another test.
func (tr *trial) in(t *testing.T) *trial {
	c := *tr
	c.t = t
	return &c
}

func (tr *trial) check(err error) {
	tr.t.Helper()
	if err != nil {
		tr.t.Fatal(err)
	}
}

func (tr *trial) host(name string) *lab.Host {
	h, err := tr.lab.Host(name)
	tr.check(err)
	return h
}

// end takes the lab down; a second call does nothing.
func (tr *trial) end() {
	if tr.t.Failed() {
		for _, name := range members {
			if h := tr.host(name); len(h.Agents()) > 0 {
				tr.t.Logf("the agent's log on %s ends with:\n%s", name, h.AgentLog(logLines))
			}
		}
	}
	if err := tr.lab.Close(); err != nil {
		tr.t.Errorf("take the lab down: %v", err)
	}
}

func (tr *trial) files() string { return filepath.Join(tr.lab.Dir(), "files") }

// setUp runs the scripts of an occasion, "" for the set-up itself, on the router and then on all hosts at
// the same time. It tells whether there was one.
func (tr *trial) setUp(occasion string) bool {
	ran := tr.script("router", occasion)
	var group sync.WaitGroup
	results := make([]bool, len(members))
	for i, name := range members {
		group.Go(func() {
			all := tr.scriptNamed(name, "all"+occasion)
			results[i] = tr.scriptNamed(name, name+occasion) || all
		})
	}
	group.Wait()
	if tr.t.Failed() {
		tr.t.FailNow()
	}
	return ran || slices.Contains(results, true)
}

func (tr *trial) script(node, occasion string) bool { return tr.scriptNamed(node, node+occasion) }

// scriptNamed runs a script on a node. A failure fails the test; the caller ends it.
func (tr *trial) scriptNamed(node, script string) bool {
	text, ok := tr.c.scripts[script]
	if !ok {
		return false
	}
	ctx, cancel := context.WithTimeout(tr.t.Context(), startLimit)
	defer cancel()
	out, err := tr.runScript(ctx, node, text)
	if err != nil {
		tr.t.Errorf("%s.sh on %s: %v\n%s", script, node, err, out)
	}
	return true
}

// runScript runs sh with the functions of lib.sh. On a host, what it mounts stays in the host's mount
// namespace, where later scripts find it, and /run is the host's own.
func (tr *trial) runScript(ctx context.Context, node, text string) (string, error) {
	h, target := tr.store, tr.lab.Router()
	args := []string{"sh", "-euc", `. "$lib"; ` + text}
	lib, err := filepath.Abs("lib.sh")
	if err != nil {
		return "", err
	}
	env := []string{"host=" + node, "lib=" + lib, "files=" + tr.files()}
	if node != "router" {
		h = tr.host(node)
		target = h.Node
		env = append(env, tr.hostEnv(h)...)
		pid, err := tr.keeper(ctx, h)
		if err != nil {
			return "", err
		}
		args = append([]string{"nsenter", "--target", strconv.Itoa(pid), "--mount"}, args...)
	}
	var out bytes.Buffer
	cmd := h.Command(ctx, args...)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := target.StartCommand(cmd); err != nil {
		return "", err
	}
	err = cmd.Wait()
	return out.String(), err
}

// hostEnv tells a script what its host has: addresses $addr4 and $addr6, the router's $gw4 and $gw6, the prefixes
// $net4 and $net6, the directory $dir, and in events the addresses $pod4 and $pod6 of its pod.
func (tr *trial) hostEnv(h *lab.Host) []string {
	env := []string{"dir=" + h.Dir()}
	for _, a := range h.Addrs {
		family := "4"
		if a.Addr().Is6() {
			family = "6"
		}
		gateway := a.Masked().Addr().Next()
		env = append(env, "addr"+family+"="+a.Addr().String(), "net"+family+"="+a.Masked().String(), "gw"+family+"="+gateway.String())
	}
	if pod := tr.pods[h.Name]; pod != nil {
		for _, a := range pod.Addrs {
			family := "4"
			if a.Addr().Is6() {
				family = "6"
			}
			env = append(env, "pod"+family+"="+a.Addr().String())
		}
	}
	return env
}

// keeper returns the process that keeps the host's mount namespace.
func (tr *trial) keeper(ctx context.Context, h *lab.Host) (int, error) {
	tr.keepers.Lock()
	defer tr.keepers.Unlock()
	if p, ok := tr.keepers.of[h.Name]; ok {
		return p.PID(), nil
	}
	if _, err := lab.WriteDockerd(filepath.Join(h.Dir(), "docker")); err != nil {
		return 0, err
	}
	p, err := h.Start("keeper", []string{"unshare", "--mount", "sh", "-ec", "mount -t tmpfs tmpfs /run; echo ready; exec sleep infinity"})
	if err != nil {
		return 0, err
	}
	for p.Tail(1) != "ready" {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-p.Done():
			return 0, fmt.Errorf("make a mount namespace for %s: %s", h.Name, p.Tail(logLines))
		case <-ctx.Done():
			return 0, fmt.Errorf("make a mount namespace for %s: %w", h.Name, ctx.Err())
		}
	}
	tr.keepers.of[h.Name] = p
	return p.PID(), nil
}

func (tr *trial) startStore(doc string) {
	ctx, cancel := context.WithTimeout(tr.t.Context(), startLimit)
	defer cancel()
	_, err := tr.store.StartEtcd(ctx, lab.EtcdBuiltIn)
	tr.check(err)
	tr.configure(doc)
}

func (tr *trial) configure(doc string) {
	ctx, cancel := context.WithTimeout(tr.t.Context(), startLimit)
	defer cancel()
	_, err := tr.store.Run(ctx, "weft", "config", "set", "--force", doc) // also if hosts behind the router lose their path by it
	tr.check(err)
}

// onAll runs f for all members at the same time.
func (tr *trial) onAll(f func(h *lab.Host) error) {
	tr.t.Helper()
	errs := make([]error, len(members))
	var group sync.WaitGroup
	for i, name := range members {
		h := tr.host(name)
		group.Go(func() { errs[i] = f(h) })
	}
	group.Wait()
	tr.check(errors.Join(errs...))
}

func (tr *trial) startAgents() {
	ctx, cancel := context.WithTimeout(tr.t.Context(), startLimit)
	defer cancel()
	tr.onAll(func(h *lab.Host) error {
		// What happens must be noticed, not found by chance: the agent looks by itself once a day.
		_, err := h.StartAgent(ctx, append([]string{"--resync=24h"}, tr.flags(h.Name)...)...)
		return err
	})
}

func (tr *trial) flags(host string) []string {
	var out []string
	for _, e := range tr.c.of("flags", "") {
		if matches(e.args[0], host) {
			out = append(out, e.args[1:]...)
		}
	}
	return out
}

func (tr *trial) addPods() {
	for _, name := range members {
		pod, err := tr.host(name).AddPod("p" + strings.TrimPrefix(name, "h"))
		tr.check(err)
		tr.pods[name] = pod
	}
}

// clean removes the pods and then weft from every host.
func (tr *trial) clean() {
	ctx, cancel := context.WithTimeout(tr.t.Context(), startLimit)
	defer cancel()
	tr.onAll(func(h *lab.Host) error {
		if err := errors.Join(h.DeleteLink("cni0"), h.DeleteLink("veth2")); err != nil {
			return err
		}
		agents := h.Agents()
		if err := agents[len(agents)-1].Stop(ctx); err != nil {
			return err
		}
		_, err := h.Run(ctx, "weft", "clean")
		return err
	})
}

func addrsOf(family string) []bool {
	switch family {
	case "ipv4":
		return []bool{false}
	case "ipv6":
		return []bool{true}
	}
	return []bool{false, true}
}

func familyName(is6 bool) string {
	if is6 {
		return "ipv6"
	}
	return "ipv4"
}

// onSegment tells whether two hosts are on one segment.
func onSegment(a, b *lab.Host) bool {
	prefix := func(h *lab.Host) netip.Prefix { return h.Addrs[0].Masked() }
	return prefix(a) == prefix(b)
}
