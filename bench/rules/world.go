package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"

	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan/firewall"
	"github.com/weft-net/weft/internal/reconcile"
)

const config = `{"Network": "172.7.0.0/16", "Backend": {"Type": "vxlan"}}`

// world is two hosts, joined by a tunnel that no agent looks after.
type world struct {
	lab   *lab.Lab
	ends  []*end
	peers int
	net   netconf.Network
}

// end is one of the hosts, with a pod.
type end struct {
	kernel *kernel.Kernel
	pod    *lab.Pod
	tunnel *netstate.State
}

// tunnelRows are a host's: its number, the other's number.
const tunnelRows = `
link  flannel.1 vxlan vni 1 local 10.4.7.2%[1]d dev eth0 port 8472 nolearning mtu 1450 mac 0a:00:00:00:00:0%[1]d up
sysctl net/ipv4/ip_forward 1
addr  172.7.%[1]d.0/32 dev flannel.1
neigh 172.7.%[2]d.0 mac 0a:00:00:00:00:0%[2]d dev flannel.1
fdb   0a:00:00:00:00:0%[2]d dst 10.4.7.2%[2]d dev flannel.1
route 172.7.%[2]d.0/24 via 172.7.%[2]d.0 dev flannel.1 onlink
`

const subnetFile = "FLANNEL_NETWORK=172.7.0.0/16\nFLANNEL_SUBNET=172.7.%d.1/24\nFLANNEL_MTU=1450\n"

func newWorld(peers int) (w *world, err error) {
	w = &world{peers: peers}
	if w.net, err = netconf.Parse([]byte(config)); err != nil {
		return nil, err
	}
	if w.lab, err = lab.New(lab.FlatDemo(), lab.Options{}); err != nil {
		return nil, err
	}
	for i, name := range []string{"h1", "h2"} {
		e, err := newEnd(w.lab, name, i+1, 2-i)
		if err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.ends = append(w.ends, e)
	}
	return w, nil
}

func newEnd(l *lab.Lab, name string, number, other int) (*end, error) {
	h, err := l.Host(name)
	if err != nil {
		return nil, err
	}
	e := &end{}
	if e.tunnel, err = netstate.Parse(strings.NewReader(fmt.Sprintf(tunnelRows, number, other))); err != nil {
		return nil, err
	}
	if err := os.WriteFile(h.SubnetFile(), fmt.Appendf(nil, subnetFile, number), 0o644); err != nil {
		return nil, err
	}
	if e.pod, err = h.AddPod(fmt.Sprint("p", number)); err != nil {
		return nil, err
	}
	err = h.Do(func() (err error) {
		e.kernel, err = kernel.New(slog.New(slog.DiscardHandler))
		return err
	})
	return e, err
}

// close takes the world down.
func (w *world) close() error {
	var errs []error
	for _, e := range w.ends {
		errs = append(errs, e.kernel.Close())
	}
	return errors.Join(append(errs, w.lab.Close())...)
}

// rules puts the rules in place on both hosts, or removes them.
func (w *world) rules(ctx context.Context, on bool) error {
	for _, e := range w.ends {
		want := e.tunnel.Clone()
		if on {
			p := firewall.Plan{
				Net: w.net, Options: firewall.Options{Masquerade: true}, Peers: w.addresses(),
				Tunnels: []firewall.Tunnel{{Family: netconf.V4, Port: 8472, VNI: 1}},
			}
			p.Build(want)
		}
		if err := want.Normalize(); err != nil {
			return err
		}
		scope := netstate.ScopeOf(w.net.Prefixes(), want)
		if pass := reconcile.Once(ctx, e.kernel, reconcile.Want{State: want, Scope: scope}); !pass.OK() {
			return fmt.Errorf("set up a host: %v %v", pass.Err, pass.Failures)
		}
	}
	return nil
}

// addresses are the guard's: the hosts' own among many.
func (w *world) addresses() []netip.Addr {
	out := []netip.Addr{netip.MustParseAddr("10.4.7.21"), netip.MustParseAddr("10.4.7.22")}
	a := netip.MustParseAddr("198.18.0.0")
	for len(out) < w.peers {
		a = a.Next()
		out = append(out, a)
	}
	return out
}
