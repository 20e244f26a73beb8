package lab_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/netns"
)

func TestMain(m *testing.M) {
	os.Exit(netns.Main(func() int {
		code := m.Run()
		if err := goleak.Find(); code == 0 && err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return code
	}))
}

// newLab builds a lab with a short path for its directory, since sockets lie in it.
func newLab(t *testing.T, topology lab.Topology) *lab.Lab {
	t.Helper()
	l, err := lab.New(topology, lab.Options{})
	check(t, err)
	t.Cleanup(func() { check(t, l.Close()) })
	return l
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func host(t *testing.T, l *lab.Lab, name string) *lab.Host {
	t.Helper()
	h, err := l.Host(name)
	check(t, err)
	return h
}

// podOn gives the host subnets 172.7.N.0/24 and fd17:N::/64, without an agent, and a pod in them.
func podOn(t *testing.T, h *lab.Host, n int) *lab.Pod {
	t.Helper()
	env := fmt.Sprintf("FLANNEL_NETWORK=172.7.0.0/16\nFLANNEL_SUBNET=172.7.%d.1/24\nFLANNEL_IPV6_SUBNET=fd17:%d::1/64\nFLANNEL_MTU=1450\n", n, n)
	check(t, os.WriteFile(h.SubnetFile(), []byte(env), 0o644))
	check(t, h.Forward())
	pod, err := h.AddPod(fmt.Sprintf("p%d", n))
	check(t, err)
	return pod
}

// route makes node send packets to pod's subnets to via, one address a family.
func route(t *testing.T, node *lab.Node, pod *lab.Pod, via []netip.Prefix) {
	t.Helper()
	for _, p := range pod.Addrs {
		for _, v := range via {
			if v.Addr().Is6() == p.Addr().Is6() {
				check(t, node.AddRoute(p.Masked(), v.Addr()))
			}
		}
	}
}

// pair is two hosts of the demo with a pod each and routes between these by hand.
func pair(t *testing.T, l *lab.Lab, nameA, nameB string) (a, b *lab.Pod) {
	t.Helper()
	ha, hb := host(t, l, nameA), host(t, l, nameB)
	a, b = podOn(t, ha, 1), podOn(t, hb, 2)
	if ha.Addrs[0].Masked() == hb.Addrs[0].Masked() {
		route(t, ha.Node, b, hb.Addrs)
		route(t, hb.Node, a, ha.Addrs)
		return a, b
	}
	for _, x := range []struct {
		via *lab.Host
		pod *lab.Pod
	}{{ha, a}, {hb, b}} {
		route(t, l.Router(), x.pod, x.via.Addrs)
	}
	return a, b
}

func ping(t *testing.T, from *lab.Node, to netip.Addr) lab.Tally {
	t.Helper()
	tally, err := from.Ping(t.Context(), to, 5)
	check(t, err)
	return tally
}

func TestEveryHostReachesEveryHost(t *testing.T) {
	t.Parallel()
	l := newLab(t, lab.Demo())
	for _, from := range l.HostNames() {
		for _, to := range l.HostNames() {
			for _, addr := range host(t, l, to).Addrs {
				if err := ping(t, host(t, l, from).Node, addr.Addr()).Err(); err != nil {
					t.Errorf("%s to %s: %v", from, addr, err)
				}
			}
		}
	}
}

func TestPodsReachEachOtherDirectly(t *testing.T) {
	t.Parallel()
	for _, hosts := range [][2]string{{"h1", "h2"}, {"h1", "h3"}} {
		t.Run(strings.Join(hosts[:], "-"), func(t *testing.T) {
			l := newLab(t, lab.Demo())
			a, b := pair(t, l, hosts[0], hosts[1])
			for _, is6 := range []bool{false, true} {
				trip, err := lab.Travel(t.Context(), a, b, is6, 5)
				check(t, err)
				if err := trip.Err(); err != nil || trip.Direct != 5 || trip.VXLAN != 0 {
					t.Errorf("IPv6 %t: %+v, %v; want 5 direct", is6, trip, err)
				}
			}
		})
	}
}

func TestPodsOfOneHostNeedNoWire(t *testing.T) {
	t.Parallel()
	l := newLab(t, lab.Demo())
	a := podOn(t, host(t, l, "h1"), 1)
	b, err := host(t, l, "h1").AddPod("second")
	check(t, err)
	trip, err := lab.Travel(t.Context(), a, b, false, 5)
	check(t, err)
	if trip.Err() != nil || trip.Path() != lab.PathLocal {
		t.Errorf("path %s, %v; want local", trip.Path(), trip.Err())
	}
}

func TestFaultsLosePings(t *testing.T) {
	t.Parallel()
	l := newLab(t, lab.Demo())
	h1, h2, h3 := host(t, l, "h1"), host(t, l, "h2"), host(t, l, "h3")
	faults := map[string]struct {
		from, to       *lab.Host
		begin, restore func() error
	}{
		"segment cut":                  {h1, h2, func() error { return l.Cut("a") }, func() error { return l.Restore("a") }},
		"unplugged":                    {h1, h2, func() error { return l.Unplug(h2) }, func() error { return l.Replug(h2) }},
		"link down":                    {h1, h3, func() error { return h1.LinkDown("eth0") }, func() error { return h1.LinkUp("eth0") }},
		"dropped on one segment":       {h1, h2, func() error { return l.Drop(h1, h2) }, func() error { return l.Undrop(h1, h2) }},
		"dropped between two segments": {h1, h3, func() error { return l.Drop(h1, h3) }, func() error { return l.Undrop(h1, h3) }},
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			for _, addr := range f.to.Addrs {
				check(t, ping(t, f.from.Node, addr.Addr()).Err())
			}
			check(t, f.begin())
			for _, addr := range f.to.Addrs {
				if tally := ping(t, f.from.Node, addr.Addr()); tally.Received != 0 || tally.Sent != 5 {
					t.Errorf("with the fault, %s: %+v; want 5 sent, none received", addr, tally)
				}
			}
			check(t, f.restore())
			for _, addr := range f.to.Addrs {
				await(t, fmt.Sprintf("%s answers again", addr), func() bool {
					return ping(t, f.from.Node, addr.Addr()).Err() == nil
				})
			}
		})
	}
}

// await tries again until ok, which takes its own time, or the test's time is over.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !ok() {
		if ctx.Err() != nil {
			t.Fatalf("not so after 30 s: %s", what)
		}
	}
}

func TestDeletedRouteLosesPings(t *testing.T) {
	t.Parallel()
	l := newLab(t, lab.Demo())
	h1, h3 := host(t, l, "h1"), host(t, l, "h3")
	check(t, h1.DeleteRoute(netip.MustParsePrefix("0.0.0.0/0")))
	tally := ping(t, h1.Node, h3.Addrs[0].Addr())
	if tally.Received != 0 || tally.SendErr == nil {
		t.Errorf("%+v; want every ping refused", tally)
	}
}

func TestPingerNoticesAnOutage(t *testing.T) {
	t.Parallel()
	l := newLab(t, lab.Demo())
	h1, h2 := host(t, l, "h1"), host(t, l, "h2")
	pinger, err := h1.StartPinger(h2.Addrs[0].Addr(), time.Millisecond)
	check(t, err)
	await(t, "some replies came", func() bool { return pinger.Received() > 10 })
	check(t, l.Cut("a"))
	ping(t, h1.Node, h2.Addrs[0].Addr()) // takes as long as a lost ping
	check(t, l.Restore("a"))
	before := pinger.Received()
	await(t, "replies come again", func() bool { return pinger.Received() > before })
	tally := pinger.Stop()
	if tally.Lost() == 0 || tally.Gap < 500*time.Millisecond {
		t.Errorf("%+v; want losses and a gap of about a second", tally)
	}
	if pinger.Stop() != tally {
		t.Error("a second Stop gave another count")
	}
}

func TestStreamArrivesWhole(t *testing.T) {
	t.Parallel()
	l := newLab(t, lab.Demo())
	a, b := pair(t, l, "h1", "h3")
	before, err := b.Counters(lab.Uplink)
	check(t, err)
	for _, addr := range b.Addrs {
		stream, err := a.StartStream(t.Context(), b.Node, addr.Addr())
		check(t, err)
		await(t, "100 kB arrived", func() bool {
			now, err := b.Counters(lab.Uplink)
			check(t, err)
			return now.RxBytes > before.RxBytes+100_000
		})
		result := stream.Stop()
		if result.Err != nil || result.Sent == 0 || result.Sent != result.Received {
			t.Errorf("%s: %+v; want all of it", addr, result)
		}
		before, err = b.Counters(lab.Uplink)
		check(t, err)
	}
}

func TestStreamEndsWithItsPeer(t *testing.T) {
	t.Parallel()
	l := newLab(t, lab.Demo())
	h1, h2 := host(t, l, "h1"), host(t, l, "h2")
	stream, err := h1.StartStream(t.Context(), h2.Node, h2.Addrs[0].Addr())
	check(t, err)
	check(t, l.Cut("a"))
	if result := stream.Stop(); result.Err == nil {
		t.Errorf("%+v across a cut segment; want a time-out", result)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	l, err := lab.New(lab.Demo(), lab.Options{})
	check(t, err)
	h1 := host(t, l, "h1")
	p, err := h1.Start("sleeper", []string{"sh", "-c", "sleep 1000 & echo $!; sleep 1000"})
	check(t, err)
	await(t, "the shell has written its child's number", func() bool { return p.Tail(1) != "" })
	child := p.Tail(1)
	check(t, l.Close())
	if p.Running() {
		t.Error("a process of the lab still runs")
	}
	await(t, "the background process is gone", func() bool {
		status, err := os.ReadFile(filepath.Join("/proc", child, "status"))
		return err != nil || strings.Contains(string(status), "State:\tZ")
	})
	if _, err := os.Stat(l.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lab's directory is still there: %v", err)
	}
	if _, err := h1.Run(t.Context(), "true"); !errors.Is(err, netns.ErrClosed) {
		t.Errorf("the namespace of h1 still takes processes: %v", err)
	}
}

func TestProcessSeesItsHost(t *testing.T) {
	t.Parallel()
	l := newLab(t, lab.Demo())
	h1 := host(t, l, "h1")
	out, err := h1.Run(t.Context(), "sh", "-c", "hostname; echo $WEFT_SUBNET_FILE")
	check(t, err)
	if want := "h1\n" + h1.SubnetFile() + "\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestFailedProgramShowsItsOutput(t *testing.T) {
	t.Parallel()
	l := newLab(t, lab.Demo())
	_, err := host(t, l, "h1").Run(t.Context(), "sh", "-c", "echo no such fabric >&2; exit 3")
	if err == nil || !strings.Contains(err.Error(), "no such fabric") || !strings.Contains(err.Error(), "h1") {
		t.Errorf("error %v; want the host and what the program said", err)
	}
}

func TestBadTopologiesAreRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*lab.Topology){
		"no such segment":    func(d *lab.Topology) { d.Hosts[0].Segment = "z" },
		"is in no prefix":    func(d *lab.Topology) { d.Hosts[0].Addrs[0] = netip.MustParseAddr("192.0.2.1") },
		"must be unique":     func(d *lab.Topology) { d.Hosts[1].Name = "h1" },
		"1 to 15 characters": func(d *lab.Topology) { d.Hosts[1].Name = "a-name-that-is-too-long" },
		"1 to 12 characters": func(d *lab.Topology) { d.Segments[0].Name = "a-name-too-long" },
		"unknown segment":    func(d *lab.Topology) { d.Segments = d.Segments[1:] },
	} {
		topology := lab.Demo()
		spoil(&topology)
		if name == "no such segment" {
			name = "unknown segment"
		}
		if err := topology.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v; want one with %q", err, name)
		}
	}
}

// The vxlan device is made by hand here; what it puts on the wire must be seen as VXLAN.
func TestTunnelledPingsAreSeenAsSuch(t *testing.T) {
	t.Parallel()
	l := newLab(t, lab.Demo())
	h1, h3 := host(t, l, "h1"), host(t, l, "h3")
	a, b := podOn(t, h1, 1), podOn(t, h3, 2)
	tunnel(t, h1, h3, a, b)
	tunnel(t, h3, h1, b, a)
	trip, err := lab.Travel(t.Context(), a, b, false, 5)
	check(t, err)
	if err := trip.Err(); err != nil || trip.VXLAN != 5 || trip.Path() != lab.PathVXLAN {
		t.Errorf("path %s, %+v, %v; want 5 in vxlan", trip.Path(), trip, err)
	}
}

// tunnel makes a point-to-point vxlan device on one host and routes the other's pod over it.
func tunnel(t *testing.T, here, there *lab.Host, own, other *lab.Pod) {
	t.Helper()
	check(t, here.Do(func() error {
		uplink, err := netlink.LinkByName(lab.Uplink)
		if err != nil {
			return err
		}
		device := &netlink.Vxlan{
			LinkAttrs: netlink.LinkAttrs{Name: "tunnel"}, VxlanId: 1, Port: int(lab.VXLANPorts[0]), Learning: true,
			VtepDevIndex: uplink.Attrs().Index, Group: there.Addrs[0].Addr().AsSlice(),
		}
		if err := netlink.LinkAdd(device); err != nil {
			return err
		}
		addr, err := netlink.ParseAddr(own.Addrs[0].Masked().Addr().String() + "/16")
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(device, addr); err != nil {
			return err
		}
		return netlink.LinkSetUp(device)
	}))
	check(t, here.AddRoute(other.Addrs[0].Masked(), other.Addrs[0].Masked().Addr()))
}
