package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
)

// switchName names the namespace that holds the segments' bridges.
const switchName = "switch"

// Uplink is the name of every host's interface.
const Uplink = "eth0"

// Options are a lab's settings besides its topology.
type Options struct {
	// Dir is the directory of all hosts' files; it must exist. Unix sockets are in it, so its path should
	// be short (under 60 bytes). "": a new directory, removed by Close.
	Dir string
	// Binary is the weft program that agents and the store are started from. "": this one.
	Binary string
	// CNI is a directory of CNI plugins in addition to weft's own, for pods of AddPodCNI. "": none.
	CNI string
}

// Lab is a running network. Close ends it; so does the end of this process, however it ends.
type Lab struct {
	Topology Topology

	dir     string
	ownDir  bool
	binary  string
	cni     func() ([]string, error) // the directories of CNI plugins
	fabric  *Node                    // the switch
	router  *Node                    // nil if there is none
	hosts   map[string]*Host
	closing sync.Once

	mu         sync.Mutex
	processes  []*Process
	endpoints  string           // of the store, once it runs
	kubernetes Kubernetes       // the store instead, once UseKubernetes named it
	cut        []string         // hosts and segments, see SetCut
	cards      map[string]*card // by host, see BreakChecksums
}

// New builds the network that t describes. Nothing runs on its hosts yet.
func New(t Topology, o Options) (*Lab, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	l := &Lab{Topology: t, dir: o.Dir, binary: o.Binary, hosts: map[string]*Host{}}
	l.cni = sync.OnceValues(func() ([]string, error) { return l.writePlugins(o.CNI) })
	if err := l.build(); err != nil {
		return nil, fmt.Errorf("build the lab: %w", errors.Join(err, l.Close()))
	}
	return l, nil
}

func (l *Lab) build() error {
	if err := l.prepareFiles(); err != nil {
		return err
	}
	var err error
	if l.fabric, err = newNode(switchName); err != nil {
		return err
	}
	if l.Topology.Router != "" {
		if l.router, err = newNode(l.Topology.Router); err != nil {
			return err
		}
		if err := l.router.Forward(); err != nil {
			return err
		}
	}
	for _, s := range l.Topology.Segments {
		if err := l.addSegment(s); err != nil {
			return err
		}
	}
	for _, h := range l.Topology.Hosts {
		if err := l.addHost(h); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) prepareFiles() error {
	if l.binary == "" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find this program's file: %w", err)
		}
		l.binary = self
	}
	if l.dir != "" {
		return nil
	}
	dir, err := os.MkdirTemp("", "weft-lab-")
	if err != nil {
		return fmt.Errorf("make the lab's directory: %w", err)
	}
	l.dir, l.ownDir = dir, true
	return nil
}

// addSegment makes a bridge that floods multicast, so that neighbour discovery works from the
// first packet on, and plugs the router in.
func (l *Lab) addSegment(s Segment) error {
	name := bridgeOf(s.Name)
	noSnooping := false
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}, MulticastSnooping: &noSnooping}
	if err := l.fabric.Do(func() error { return netlink.LinkAdd(bridge) }); err != nil {
		return fmt.Errorf("segment %s: make its bridge: %w", s.Name, err)
	}
	if err := l.fabric.link("bring up", name, netlink.LinkSetUp); err != nil {
		return err
	}
	if l.router == nil {
		return nil
	}
	if err := l.plugIn(l.router, s.Name, s.Name, "to-"+s.Name); err != nil {
		return err
	}
	return l.router.addAddrs(s.Name, s.gateways())
}

// plugIn wires dev of node to a port of the segment's bridge.
func (l *Lab) plugIn(node *Node, dev, segment, port string) error {
	if err := wire(node, dev, l.fabric, port); err != nil {
		return err
	}
	return l.fabric.link("plug "+port+" into", bridgeOf(segment), func(bridge netlink.Link) error {
		link, err := netlink.LinkByName(port)
		if err != nil {
			return err
		}
		return netlink.LinkSetMaster(link, bridge)
	})
}

func bridgeOf(segment string) string { return "br-" + segment }

// Host returns the host of that name.
func (l *Lab) Host(name string) (*Host, error) {
	h, ok := l.hosts[name]
	if !ok {
		return nil, fmt.Errorf("the lab has no host %q; its hosts are %v", name, l.HostNames())
	}
	return h, nil
}

// HostNames lists the hosts in the topology's order.
func (l *Lab) HostNames() []string {
	var names []string
	for _, h := range l.Topology.Hosts {
		names = append(names, h.Name)
	}
	return names
}

// Router is the node between the segments, nil if the topology has none.
func (l *Lab) Router() *Node { return l.router }

// Dir is the directory of the hosts' files.
func (l *Lab) Dir() string { return l.dir }

// Close ends every process and removes every namespace of the lab, and the directory if New made
// it. Processes are killed with SIGKILL: stop those first that should exit cleanly.
func (l *Lab) Close() error {
	var errs []error
	l.closing.Do(func() {
		l.mu.Lock()
		for _, c := range l.cards {
			errs = append(errs, c.close())
		}
		l.mu.Unlock()
		for _, n := range l.nodes() {
			errs = append(errs, n.ns.Close())
		}
		l.mu.Lock()
		processes := slices.Clone(l.processes)
		l.mu.Unlock()
		for _, p := range processes {
			<-p.Done()
		}
		for _, h := range l.hosts { // processes that carry WireGuard devices outlive agents, which would start them again, and end with their sockets
			if h != nil {
				errs = append(errs, os.RemoveAll(filepath.Join(h.RunDir(), "wireguard")))
			}
		}
		if l.ownDir {
			errs = append(errs, os.RemoveAll(l.dir))
		}
	})
	return errors.Join(errs...)
}

// nodes lists all of the lab's nodes, pods before the hosts they are on.
func (l *Lab) nodes() []*Node {
	var out []*Node
	for _, name := range l.HostNames() {
		h := l.hosts[name]
		if h == nil {
			continue // New failed half-way.
		}
		for _, p := range h.Pods() {
			out = append(out, p.Node)
		}
		out = append(out, h.Node)
	}
	for _, n := range []*Node{l.router, l.fabric} {
		if n != nil {
			out = append(out, n)
		}
	}
	return out
}

func (l *Lab) hostDir(name string) (string, error) {
	dir := filepath.Join(l.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the directory of host %s: %w", name, err)
	}
	return dir, nil
}

// Find returns the host or pod of that name, and the host that it is or is on.
func (l *Lab) Find(name string) (*Node, *Host, error) {
	var pods []string
	for _, hostName := range l.HostNames() {
		h := l.hosts[hostName]
		if h.Name == name {
			return h.Node, h, nil
		}
		for _, p := range h.Pods() {
			if p.Name == name {
				return p.Node, h, nil
			}
			pods = append(pods, p.Name)
		}
	}
	return nil, nil, fmt.Errorf("the lab has no host or pod %q; its hosts are %v, its pods %v", name, l.HostNames(), pods)
}
