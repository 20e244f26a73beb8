package cli_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/lab"
)

// startReady starts a program on host and waits for its READY=1.
func startReady(t *testing.T, host *lab.Host, name string, args ...string) *lab.Process {
	t.Helper()
	path := filepath.Join(host.Dir(), name+".sock")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	p, err := host.Start(name, args, "NOTIFY_SOCKET="+path)
	if err != nil {
		t.Fatal(err)
	}
	if err := socket.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1024)
	for {
		switch n, err := socket.Read(buf); {
		case err != nil:
			t.Fatalf("%s did not say READY=1: %v; its log:\n%s", name, err, p.Tail(20))
		case string(buf[:n]) == "READY=1":
			return p
		}
	}
}

// TestAsFlanneld runs the agent by flanneld's name, command line and default
// endpoints.
func TestAsFlanneld(t *testing.T) {
	host, run := onHost(t)
	startReady(t, host, "etcd", "weft", "lab", "etcd", "--dir", filepath.Join(host.Dir(), "etcd"), "--listen", "127.0.0.1:2379")
	expect(t, run, true, "stored", "config", "set", `{"Network": "10.5.0.0/16", "SubnetMin": "10.5.7.0", "SubnetMax": "10.5.7.0", "Backend": {"Type": "host-gw"}}`,
		"--etcd-endpoints=http://127.0.0.1:2379")

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	flanneld := filepath.Join(host.Dir(), "flanneld")
	if err := os.Symlink(self, flanneld); err != nil {
		t.Fatal(err)
	}
	agent := startReady(t, host, "flanneld", flanneld, "-iface", lab.Uplink, "-ip-masq", "-v=4", "-logtostderr=true")

	env, err := os.ReadFile(host.SubnetFile())
	want := "FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.7.1/24\nFLANNEL_MTU=1500\nFLANNEL_IPMASQ=true\n"
	if err != nil || string(env) != want {
		t.Errorf("the subnet file holds\n%s, %v; want\n%s", env, err, want)
	}
	if log := agent.Tail(50); !strings.Contains(log, "level=DEBUG") {
		t.Errorf("-v=4 does not show in the log:\n%s", log)
	}
	expect(t, run, true, "ip saddr != 10.5.0.0/16 ip daddr 10.5.0.0/16 masquerade fully-random", "plan")
	expect(t, run, true, "etcd, connected", "status")
	// The commands ask the agent where its store is.
	expect(t, run, true, "host-gw", "config", "get")
	expect(t, run, true, "10.5.7.0/24  192.0.2.11  host-gw", "lease", "list")

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := agent.Stop(ctx); err != nil {
		t.Errorf("SIGTERM did not end the agent well: %v", err)
	}
}
