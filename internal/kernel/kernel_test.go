package kernel_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/kernel/kerneltest"
	"github.com/weft-net/weft/internal/netns"
	"github.com/weft-net/weft/internal/wguser"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == wguser.Command {
		carry(os.Args[2:])
		return
	}
	os.Exit(netns.Main(m.Run))
}

// carry is what the weft of a host would do when the kernel starts a device in user space.
func carry(args []string) {
	ready, err := strconv.Atoi(args[4])
	if err == nil {
		err = wguser.Main(context.Background(), args[0], args[2], ready)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func TestConformance(t *testing.T) {
	kerneltest.Run(t, func(t *testing.T) kerneltest.Host {
		ns := newHost(t)
		return kerneltest.Host{Kernel: open(t, ns), Other: open(t, ns)}
	})
}

func TestSecrets(t *testing.T) {
	kerneltest.Secrets(t, func(t *testing.T) kerneltest.Host {
		ns := newHost(t)
		return kerneltest.Host{Kernel: open(t, ns), Other: open(t, ns)}
	})
}

// TestConformanceWithoutNexthops is the same with plain gateways, on one side, and
// WireGuard in user space.
func TestConformanceWithoutNexthops(t *testing.T) {
	kerneltest.Run(t, func(t *testing.T) kerneltest.Host {
		ns := newHost(t)
		return kerneltest.Host{Kernel: open(t, ns).WithoutNexthops().WithoutWireGuard(), Other: open(t, ns)}
	})
}

// newHost makes a host as kerneltest wants it, and waits until the kernel has
// no more news of its making.
func newHost(t testing.TB) *netns.NS {
	t.Helper()
	ns, err := netns.New("host")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	})
	shell(t, ns, `
		ip link add eth0 type veth peer name eth0-peer
		ip addr add 10.4.7.21/24 dev eth0
		ip addr add fd00:4:7::21/64 dev eth0 nodad
		ip link set eth0-peer up
		ip link set eth0 up
		until ip link show eth0 | grep -q "state UP"; do :; done
		until ip link show eth0-peer | grep -q "state UP"; do :; done`)
	return ns
}

// open returns a Kernel of the namespace.
func open(t testing.TB, ns *netns.NS) *kernel.Kernel {
	t.Helper()
	var k *kernel.Kernel
	err := ns.Do(func() (err error) {
		k, err = kernel.New(slog.New(slog.DiscardHandler))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	k.UseWireGuard(kernel.WireGuard{Dir: socketDir(t, ns), Keys: kerneltest.Keys(), Start: wguser.Start})
	return k
}

var socketDirs sync.Map // by namespace

// socketDir is where the processes of a host's devices have their sockets. When it goes,
// they end.
func socketDir(t testing.TB, ns *netns.NS) string {
	t.Helper()
	if dir, ok := socketDirs.Load(ns); ok {
		return dir.(string)
	}
	dir, err := os.MkdirTemp("", "wg") // a short one: a socket's path has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	socketDirs.Store(ns, dir)
	return dir
}

// shell runs a script in the namespace and returns what it wrote.
func shell(t testing.TB, ns *netns.NS, script string) string {
	t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	out, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	cmd.Stdout, cmd.Stderr = out, out
	if err := ns.Start(cmd); err != nil {
		t.Fatal(err)
	}
	runErr := cmd.Wait()
	text, err := os.ReadFile(out.Name())
	if err != nil || runErr != nil {
		t.Fatalf("%v %v\n%s", runErr, err, text)
	}
	return string(text)
}
