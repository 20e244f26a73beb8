package reconcile_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/reconcile"
	"github.com/weft-net/weft/internal/reconcile/memkernel"
)

// tunnel is a device and what stands on it.
var tunnel = []string{
	"link flannel.1 vxlan vni 1 local 10.4.7.21 dev eth0 port 8472 nolearning mtu 1450 mac 0a:4f:76:eb:12:f5 up",
	"addr 172.7.21.0/32 dev flannel.1",
	"neigh 172.7.24.0 mac 32:11:d5:cd:3b:c9 dev flannel.1",
	"fdb 32:11:d5:cd:3b:c9 dst 10.4.8.24 dev flannel.1",
	"route 172.7.24.0/24 via 172.7.24.0 dev flannel.1 onlink",
}

// TestNothingIsPutOnADeviceThatIsNotOurs wants a tunnel where somebody has a
// device of that name, and where the tunnel cannot be made.
func TestNothingIsPutOnADeviceThatIsNotOurs(t *testing.T) {
	for name, prepare := range map[string]func(*memkernel.World) error{
		"a bridge has the name": func(w *memkernel.World) error {
			bridge := netstate.Link{Name: "flannel.1", Kind: "bridge", MTU: 1500, Up: true}
			return w.Open().Apply(t.Context(), []netstate.Op{{Row: bridge}})[0]
		},
		"the kernel makes none": func(w *memkernel.World) error {
			w.Fail(state(t, tunnel[0]).Links.Slice()[0], syscall.EADDRINUSE)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			world := memkernel.New("eth0")
			if err := prepare(world); err != nil {
				t.Fatal(err)
			}
			before := world.State()
			p := reconcile.Once(t.Context(), world.Open(), want(t, append(tunnel, routeA)...))
			if len(p.Failures) != 1 {
				t.Fatalf("failures: %v", p.Failures)
			}
			if text := p.Failures[0].Error(); strings.Count(text, tunnel[0]) != 1 {
				t.Errorf("the failure does not name the device's row once: %s", text)
			}
			if after := world.State(); after.Addrs.Len()+after.Neighs.Len()+after.FDB.Len() != 0 || after.Routes.Len() != before.Routes.Len()+1 {
				t.Errorf("put on a device that is not ours:\n%s", after)
			}
		})
	}
}
