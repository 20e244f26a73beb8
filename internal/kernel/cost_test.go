package kernel_test

import (
	"fmt"
	"math"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/kernel/kerneltest"
	"github.com/weft-net/weft/internal/netstate"
)

// TestOnePeersWorkIsTheSameAmongMany counts the system calls and allocations
// that one peer's coming and going takes, among few peers and among many.
func TestOnePeersWorkIsTheSameAmongMany(t *testing.T) {
	few, many := onePeersWork(t, 100), onePeersWork(t, 10_000)
	t.Logf("among 100 peers: %+v; among 10,000: %+v", few, many)
	if few != many {
		t.Errorf("the work grows with the network: %+v among 100 peers, %+v among 10,000", few, many)
	}
}

type work struct{ calls, allocs int }

const onePeersTable = `
link flannel.1 vxlan vni 1 local 10.4.7.21 dev eth0 port 8472 nolearning mtu 1450 mac 0a:00:00:00:00:01 up
addr 10.143.255.0/32 dev flannel.1
table weft
set weft peers4 type ipv4_addr
chain weft guard type filter hook input priority -10 policy accept
rule weft guard 0 ip saddr != @peers4 udp dport 8472 @th,96,24 0x1 counter drop
`

const onePeer = `
element weft peers4 10.250.0.1
neigh 10.143.0.0 mac 0a:02:00:00:00:01 dev flannel.1
fdb 0a:02:00:00:00:01 dst 10.250.0.1 dev flannel.1
route 10.143.0.0/28 via 10.143.0.0 dev flannel.1 onlink
`

// onePeersWork returns what it takes to add a peer beside n others, to give it
// another gateway, and to remove it.
func onePeersWork(t *testing.T, n int) work {
	t.Helper()
	ns := newHost(t)
	k := open(t, ns)
	var text strings.Builder
	text.WriteString(onePeersTable)
	peers := kerneltest.Peers(n, "flannel.1")
	for f := range peers.FDB.All() {
		fmt.Fprintf(&text, "element weft peers4 %s\n", f.Dst)
	}
	want := rows(t, text.String())
	if err := want.Merge(peers); err != nil {
		t.Fatal(err)
	}
	scope := netstate.ScopeOf([]netip.Prefix{kerneltest.PeersNetwork}, want)
	have, err := k.Observe(t.Context(), scope, netstate.AllKinds)
	if err != nil {
		t.Fatal(err)
	}
	mustApply(t, k, netstate.Diff(have, want))
	if _, err := k.Observe(t.Context(), scope, netstate.AllKinds); err != nil { // as an agent does that starts anew
		t.Fatal(err)
	}
	none, one := &netstate.State{}, rows(t, onePeer)
	other := rows(t, strings.Replace(onePeer, "via 10.143.0.0 dev", "via 10.143.0.1 dev", 1))
	turn := func() {
		for _, step := range [][2]*netstate.State{{none, one}, {one, other}, {other, none}} {
			mustApply(t, k, netstate.Diff(step[0], step[1]))
		}
	}
	turn() // what is made once is made
	w := work{calls: math.MaxInt, allocs: math.MaxInt}
	for range 25 { // the runtime has reads, writes and allocations of its own now and then
		before := systemCalls(t)
		turn()
		w.calls = min(w.calls, systemCalls(t)-before)
		w.allocs = min(w.allocs, int(testing.AllocsPerRun(1, turn)))
	}
	return w
}

func mustApply(t *testing.T, k *kernel.Kernel, ops []netstate.Op) {
	t.Helper()
	for i, err := range k.Apply(t.Context(), ops) {
		if err != nil {
			t.Fatalf("%s: %v", ops[i], err)
		}
	}
}

// systemCalls counts the process's reads and writes so far: netlink is nothing else.
func systemCalls(t *testing.T) (n int) {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		var calls int
		for _, field := range []string{"syscr", "syscw"} {
			if _, err := fmt.Sscanf(line, field+": %d", &calls); err == nil {
				n += calls
			}
		}
	}
	return n
}
