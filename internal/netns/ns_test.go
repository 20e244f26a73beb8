package netns_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"

	"github.com/weft-net/weft/internal/netns"
)

func TestMain(m *testing.M) { os.Exit(netns.Main(m.Run)) }

func newNS(t *testing.T, hostname string) *netns.NS {
	t.Helper()
	ns, err := netns.New(hostname)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	})
	return ns
}

func TestNamespacesAreSeparate(t *testing.T) {
	a, b := newNS(t, "a"), newNS(t, "b")
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(b.FD())}
	if err := a.Do(func() error { return netlink.LinkAdd(veth) }); err != nil {
		t.Fatal(err)
	}
	for _, ns := range []*netns.NS{a, b} {
		if err := ns.Do(func() error { _, err := netlink.LinkByName("eth0"); return err }); err != nil {
			t.Errorf("%s: %v", ns.Hostname(), err)
		}
	}
	if _, err := netlink.LinkByName("eth0"); err == nil {
		t.Error("eth0 is visible outside the namespaces")
	}
}

func TestSysctlsBelongToTheNamespace(t *testing.T) {
	const forwarding = "/proc/sys/net/ipv4/ip_forward"
	a, b := newNS(t, "a"), newNS(t, "b")
	if err := a.Do(func() error { return os.WriteFile(forwarding, []byte("1"), 0) }); err != nil {
		t.Fatal(err)
	}
	for ns, want := range map[*netns.NS]string{a: "1\n", b: "0\n"} {
		var got []byte
		err := ns.Do(func() (err error) { got, err = os.ReadFile(forwarding); return err })
		if err != nil || string(got) != want {
			t.Errorf("%s: ip_forward is %q, %v; want %q", ns.Hostname(), got, err, want)
		}
	}
}

func TestOpenedNamespaceOutlivesItsClose(t *testing.T) {
	made := newNS(t, "made")
	opened, err := netns.Open("opened", made.Path())
	if err != nil {
		t.Fatal(err)
	}
	listen := func() error {
		listener, err := net.Listen("tcp", "127.0.0.1:7777")
		if err == nil {
			t.Cleanup(func() { _ = listener.Close() })
		}
		return err
	}
	if err := opened.Do(listen); err != nil {
		t.Fatal(err)
	}
	if err := made.Do(listen); err == nil {
		t.Error("the opened namespace is not the one that was made: one port was free in both")
	}
	if err := opened.Close(); err != nil {
		t.Fatal(err)
	}
	if err := made.Do(func() error { return nil }); err != nil {
		t.Errorf("after Close of the opened one: %v", err)
	}
}

func TestListenersBelongToTheNamespace(t *testing.T) {
	a, b := newNS(t, "a"), newNS(t, "b")
	for _, ns := range []*netns.NS{a, b} {
		err := ns.Do(func() error {
			listener, err := net.Listen("tcp", "127.0.0.1:7777")
			if err == nil {
				t.Cleanup(func() { _ = listener.Close() })
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", ns.Hostname(), err)
		}
	}
}

func TestStartedProcessSeesItsHost(t *testing.T) {
	ns := newNS(t, "some-host")
	var out bytes.Buffer
	cmd := exec.Command("hostname")
	cmd.Stdout = &out
	if err := ns.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(out.String()); got != "some-host" {
		t.Errorf("hostname printed %q, want some-host", got)
	}
}

// A process left in the background by a child holds the pipe open until it, too, is dead.
func TestCloseKillsBackgroundProcesses(t *testing.T) {
	ns := newNS(t, "doomed")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("sh", "-c", "sleep 1000 & sleep 1000 & wait")
	cmd.Stdout = w
	if err := ns.Start(cmd); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	if err := ns.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Error("read something from a process that writes nothing")
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child ended by itself, not by being killed")
	}
}

func TestClosedNamespaceRefusesWork(t *testing.T) {
	ns := newNS(t, "gone")
	if err := ns.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ns.Do(func() error { return nil }); !errors.Is(err, netns.ErrClosed) {
		t.Errorf("Do returned %v, want ErrClosed", err)
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	for range 20 {
		ns, err := netns.New("short")
		if err != nil {
			t.Fatal(err)
		}
		if err := ns.Close(); err != nil {
			t.Fatal(err)
		}
	}
	goleak.VerifyNone(t, ignore)
}
