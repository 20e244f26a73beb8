package lab

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Host is a machine of the lab.
type Host struct {
	*Node
	Addrs []netip.Prefix // of eth0

	lab     *Lab
	segment Segment
	dir     string

	mu       sync.Mutex
	pods     []*Pod
	gateways []netip.Prefix // of the pods' bridge
	agents   []*Process
	notifies int // the number of readiness sockets so far, for their names
}

func (l *Lab) addHost(spec HostSpec) error {
	i := slices.IndexFunc(l.Topology.Segments, func(s Segment) bool { return s.Name == spec.Segment })
	segment := l.Topology.Segments[i]
	addrs, err := segment.on(spec.Addrs)
	if err != nil {
		return err
	}
	node, err := newNode(spec.Name)
	if err != nil {
		return err
	}
	h := &Host{Node: node, Addrs: addrs, lab: l, segment: segment}
	l.hosts[spec.Name] = h // from here on Close releases the namespace
	if h.dir, err = l.hostDir(spec.Name); err != nil {
		return err
	}
	if err := l.plugIn(node, Uplink, spec.Segment, spec.Name); err != nil {
		return err
	}
	if err := node.addAddrs(Uplink, addrs); err != nil {
		return err
	}
	return h.addGateways()
}

// Plug gives a host another interface on a segment, with addresses of its prefixes and without
// default routes.
func (l *Lab) Plug(h *Host, dev, segment string, addrs ...netip.Addr) error {
	i := slices.IndexFunc(l.Topology.Segments, func(s Segment) bool { return s.Name == segment })
	if i < 0 {
		return fmt.Errorf("the lab has no segment %q", segment)
	}
	prefixes, err := l.Topology.Segments[i].on(addrs)
	if err != nil {
		return err
	}
	if err := l.plugIn(h.Node, dev, segment, h.Name+"-"+dev); err != nil {
		return err
	}
	return h.addAddrs(dev, prefixes)
}

func (h *Host) addGateways() error {
	if h.lab.router == nil {
		return nil
	}
	return h.addDefaultRoutes(Uplink, h.segment.gateways())
}

// Dir is the host's own directory, in place of /var/lib, /run and /var/log.
func (h *Host) Dir() string { return h.dir }

// SubnetFile is where the host's agent writes subnet.env.
func (h *Host) SubnetFile() string { return filepath.Join(h.dir, "subnet.env") }

// StateDir is what --state-dir is set to on the host.
func (h *Host) StateDir() string { return filepath.Join(h.dir, "state") }

// LockDir is what --lock-dir is set to on every host: each has a directory of
// its own there, by its network namespace.
func (l *Lab) LockDir() string { return filepath.Join(l.dir, "locks") }

// WireGuardKeyFile is where flanneld keeps the host's private key.
func (h *Host) WireGuardKeyFile() string { return filepath.Join(h.dir, "flannel-wgkey") }

// Segment names the segment that the host's uplink is on.
func (h *Host) Segment() string { return h.segment.Name }

// RunDir is what --run-dir is set to on the host.
func (h *Host) RunDir() string { return filepath.Join(h.dir, "run") }

// Env is the environment of the host's processes: base ("KEY=value"), free of weft's variables, and
// the settings that make `weft` find the host's agent and the lab's store without flags, and
// `docker` the host's dockerd.
// The lab's own binary comes first in the path, so that a shell finds it.
func (h *Host) Env(base []string) []string {
	env := slices.DeleteFunc(slices.Clone(base), func(kv string) bool {
		return strings.HasPrefix(kv, "WEFT_") || strings.HasPrefix(kv, "FLANNELD_") || strings.HasPrefix(kv, "NOTIFY_SOCKET=") ||
			strings.HasPrefix(kv, "NODE_NAME=") || strings.HasPrefix(kv, "WIREGUARD_KEY_FILE=")
	})
	for i, kv := range env {
		if path, ok := strings.CutPrefix(kv, "PATH="); ok {
			env[i] = "PATH=" + filepath.Dir(h.lab.binary) + string(filepath.ListSeparator) + path
		}
	}
	env = append(env,
		"WEFT_STATE_DIR="+h.StateDir(),
		"WEFT_RUN_DIR="+h.RunDir(),
		"WEFT_LOCK_DIR="+h.lab.LockDir(),
		"WEFT_SUBNET_FILE="+h.SubnetFile(),
		"WEFT_DAEMON_JSON="+h.DaemonJSON(),
		"WIREGUARD_KEY_FILE="+h.WireGuardKeyFile(),
		"DOCKER_HOST=unix://"+h.dockerSocket())
	if endpoints := h.lab.Endpoints(); endpoints != "" {
		env = append(env, "WEFT_ETCD_ENDPOINTS="+endpoints)
	}
	return append(env, h.lab.kubeEnv(h.Name)...)
}

// Command prepares a program to run on the host with its environment; "weft" is the lab's own
// binary. Start it with Node.StartCommand.
func (h *Host) Command(ctx context.Context, args ...string) *exec.Cmd {
	name := args[0]
	if name == "weft" {
		name = h.lab.binary
	}
	cmd := exec.CommandContext(ctx, name, args[1:]...)
	cmd.Args[0] = args[0]
	cmd.Env = h.Env(os.Environ())
	cmd.WaitDelay = time.Second // a child left in the background must not keep the pipes open forever
	return cmd
}

// StartCommand starts cmd in the node. It dies with the lab; the caller waits for it.
func (n *Node) StartCommand(cmd *exec.Cmd) error { return n.ns.Start(cmd) }

// Run runs a program on the host to its end and returns what it printed, both streams together. If
// the program fails, the error contains its output.
func (h *Host) Run(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := h.Command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := h.StartCommand(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return out.String(), fmt.Errorf("%s: %s: %w\n%s", h.Name, strings.Join(args, " "), err, out.String())
	}
	return out.String(), nil
}

// Agents lists the agents that StartAgent started on the host, ended ones too, oldest first.
func (h *Host) Agents() []*Process {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.agents)
}

// Pods lists the host's pods, oldest first.
func (h *Host) Pods() []*Pod {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.pods)
}
