package kernel_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/kernel/kerneltest"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netns"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

const benchPeers = 10_000

// bench is a host with flannel.1 and nothing on it, and the state that adds
// benchPeers peers.
type bench struct {
	*testing.B
	ns   *netns.NS
	k    *kernel.Kernel
	bare *netstate.State
	want *netstate.State
}

func newBench(b *testing.B) *bench {
	b.Helper()
	ns := newHost(b)
	bare, err := netstate.Parse(strings.NewReader("addr 10.143.255.0/32 dev flannel.1\n" +
		"link flannel.1 vxlan vni 1 local 10.4.7.21 dev eth0 port 8472 nolearning mtu 1450 mac 0a:00:00:00:00:01 up"))
	if err != nil {
		b.Fatal(err)
	}
	want := kerneltest.Peers(benchPeers, "flannel.1")
	if err := want.Merge(bare); err != nil {
		b.Fatal(err)
	}
	f := &bench{B: b, ns: ns, k: open(b, ns), bare: bare, want: want}
	f.apply(netstate.Diff(f.observe(), bare))
	f.ReportAllocs()
	return f
}

func (b *bench) observe() *netstate.State {
	b.Helper()
	s, err := b.k.Observe(b.Context(), netstate.ScopeOf([]netip.Prefix{kerneltest.PeersNetwork}, b.bare), netstate.AllKinds)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func (b *bench) apply(ops []netstate.Op) {
	b.Helper()
	for _, err := range b.k.Apply(b.Context(), ops) {
		if err != nil {
			b.Fatal(err)
		}
	}
}

// strip takes the peers away.
func (b *bench) strip() { b.apply(netstate.Diff(b.observe(), b.bare)) }

// BenchmarkApply10k puts in neighbour, forwarding entry and route of 10,000
// peers.
func BenchmarkApply10k(b *testing.B) {
	f := newBench(b)
	for b.Loop() {
		b.StopTimer()
		ops := netstate.Diff(f.observe(), f.want)
		b.StartTimer()
		f.apply(ops)
		b.StopTimer()
		f.strip()
		b.StartTimer()
	}
}

// BenchmarkFloor10k puts in the same rows with prepared messages: what the
// kernel itself needs.
func BenchmarkFloor10k(b *testing.B) {
	f := newBench(b)
	var conn *rtnl.Conn
	var dev *net.Interface
	err := f.ns.Do(func() (err error) {
		if dev, err = net.InterfaceByName("flannel.1"); err == nil {
			conn, err = rtnl.Open()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	batches := f.minimal(uint32(dev.Index))
	for b.Loop() {
		for _, batch := range batches {
			for _, fault := range conn.Exec(batch) {
				b.Fatal(fault)
			}
		}
		b.StopTimer()
		f.strip()
		shell(b, f.ns, "ip nexthop flush proto 119")
		b.StartTimer()
	}
}

// minimal encodes the peers as neighbours, forwarding entries, nexthops and
// routes, by hand and independently of package kernel.
func (b *bench) minimal(dev uint32) []*rtnl.Batch {
	native := binary.NativeEndian
	const flags = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
	var neighs, fdb, hops, routes rtnl.Batch
	index := native.AppendUint32(nil, dev)
	entry := func(family, flags byte) []byte {
		return append(append([]byte{family, 0, 0, 0}, index...), unix.NUD_PERMANENT, 0, flags, 0)
	}
	for i := range benchPeers {
		neighs.Message(unix.RTM_NEWNEIGH, flags, entry(unix.AF_INET, 0)...)
		neighs.Addr(unix.NDA_DST, b.want.Neighs.Slice()[i].Addr)
		neighs.Bytes(unix.NDA_LLADDR, b.want.Neighs.Slice()[i].MAC[:]...)
		fdb.Message(unix.RTM_NEWNEIGH, flags, entry(unix.AF_BRIDGE, unix.NTF_SELF)...)
		fdb.Bytes(unix.NDA_LLADDR, b.want.FDB.Slice()[i].MAC[:]...)
		fdb.Addr(unix.NDA_DST, b.want.FDB.Slice()[i].Dst)
		id := uint32(i + 1)
		hops.Message(unix.RTM_NEWNEXTHOP, flags, unix.AF_INET, 0, owned.RouteProtocol, 0, unix.RTNH_F_ONLINK, 0, 0, 0)
		hops.Uint32(unix.NHA_ID, id)
		hops.Uint32(unix.NHA_OIF, dev)
		hops.Addr(unix.NHA_GATEWAY, b.want.Routes.Slice()[i].Via)
		routes.Message(unix.RTM_NEWROUTE, flags, unix.AF_INET, 28, 0, 0, unix.RT_TABLE_MAIN, owned.RouteProtocol, 0, unix.RTN_UNICAST, 0, 0, 0, 0)
		routes.Addr(unix.RTA_DST, b.want.Routes.Slice()[i].Dst.Addr())
		routes.Uint32(30, id) // RTA_NH_ID
	}
	return []*rtnl.Batch{&neighs, &fdb, &hops, &routes}
}

// BenchmarkObserve10k looks at 10,000 peers.
func BenchmarkObserve10k(b *testing.B) {
	f := newBench(b)
	f.apply(netstate.Diff(f.observe(), f.want))
	for b.Loop() {
		if n := f.observe().Len(); n != 3*benchPeers+2 {
			b.Fatal(n, "rows")
		}
	}
}

// BenchmarkOnePeerIn10k adds and removes one peer among 10,000.
func BenchmarkOnePeerIn10k(b *testing.B) {
	f := newBench(b)
	f.apply(netstate.Diff(f.observe(), f.want))
	one, err := netstate.Parse(strings.NewReader("neigh 10.143.0.0 mac 0a:02:00:00:00:01 dev flannel.1\n" +
		"fdb 0a:02:00:00:00:01 dst 10.4.255.1 dev flannel.1\nroute 10.143.0.0/28 via 10.143.0.0 dev flannel.1 onlink"))
	if err != nil {
		b.Fatal(err)
	}
	add, remove := netstate.Diff(&netstate.State{}, one), netstate.Diff(one, &netstate.State{})
	for b.Loop() {
		f.apply(add)
		f.apply(remove)
	}
}
