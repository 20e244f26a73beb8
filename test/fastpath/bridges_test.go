package fastpath

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// flannelConf has the pod of a host connected to the bridge cni0, as flannel's own config does.
func (m *machine) flannelConf(n int) string {
	dir := filepath.Join(m.dir, host(n))
	return fmt.Sprintf(`{"cniVersion":"1.0.0","name":"cbr0","type":"flannel","subnetFile":%q,"dataDir":%q,"ipam":{"dataDir":%q},`+
		`"delegate":{"isDefaultGateway":true}}`, m.subnetFile(n), dir+"/flannel", dir+"/ipam")
}

// docker0 connects the pod of a host as dockerd does a container, which has the
// address after the bridge's.
func (m *machine) docker0(n int) (addr string) {
	m.Helper()
	env, err := os.ReadFile(m.subnetFile(n))
	if err != nil {
		m.Fatal(err)
	}
	var gateway, mtu string
	for line := range strings.Lines(string(env)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "FLANNEL_SUBNET":
			gateway = value
		case "FLANNEL_MTU":
			mtu = value
		}
	}
	router, _, _ := strings.Cut(gateway, "/")
	addr = router[:strings.LastIndex(router, ".")] + ".2"
	m.ip(n, "link add docker0 mtu "+mtu+" type bridge")
	m.ip(n, "addr add "+gateway+" dev docker0")
	m.ip(n, "link set docker0 up")
	m.ip(n, fmt.Sprintf("link add vethd mtu %s type veth peer name eth0 netns p%d mtu %s", mtu, n, mtu))
	m.ip(n, "link set vethd master docker0 up")
	for _, args := range []string{"link set lo up", "link set eth0 up", "addr add " + addr + "/24 dev eth0", "route add default via " + router} {
		m.run(fmt.Sprintf("p%d", n), "ip "+args)
	}
	return addr
}

func (m *machine) ip(n int, args string) { m.Helper(); m.run(host(n), "ip "+args) }
func (m *machine) tc(n int, args string) { m.Helper(); m.run(host(n), "tc "+args) }

func (m *machine) run(ns, command string) {
	m.Helper()
	if out, err := m.command(ns, nil, strings.Fields(command)...).CombinedOutput(); err != nil {
		m.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// TestBridgesWithAgents: pods of CNI type flannel and containers on docker0 get
// the fast path with their bridge, which goes with it.
func TestBridgesWithAgents(t *testing.T) {
	m, stop := newMachine(t, `{"Network":"10.5.0.0/16","Backend":{"Type":"host-gw"},"FastPath":"auto"}`)
	m.call(1, "ADD", m.flannelConf(1))
	far := m.docker0(2)
	m.until("programs at both bridges", func() bool { return m.hookedAt("bridge", 2) })
	m.until("a path to each other", func() bool { return refuses(far) })
	m.stream(far)
	for n := 1; n <= 2; n++ {
		if s := m.status(n).FastPath; s == nil || s.Mode != "all" || s.Fast < 20 || s.Slow["tracked"]+s.Slow["source"]+s.Slow["destination"] > 0 {
			t.Fatalf("after a stream host %d has %+v", n, s)
		}
	}
	m.tc(2, "qdisc add dev docker0 clsact")      // as programs do that look at packets
	m.ip(2, "addr add 192.0.2.1/32 dev docker0") // news by which the host's facts are read again
	m.until("the fast path gone from a bridge with filters", func() bool { return m.hookedAt("bridge", 1) })
	m.stream(far)
	m.tc(2, "qdisc del dev docker0 clsact")
	m.ip(2, "addr del 192.0.2.1/32 dev docker0")
	m.until("the fast path back", func() bool { return m.hookedAt("bridge", 2) })
	m.stream(far)

	m.ip(2, "link del docker0")
	m.until("the bridge's program gone", func() bool { return m.hookedAt("bridge", 1) })
	m.call(1, "DEL", m.flannelConf(1))
	stop(unix.SIGTERM)
	m.weft(1, append([]string{"clean", "--etcd-endpoints", endpoint}, m.dirs(1)...)...)
	if !m.hookedAt("bridge", 0) {
		t.Errorf("after clean there is %v", m.pins())
	}
}
