// Manyhosts serves the page of 'weft ui' with a made-up network, for tests of the
// page with more hosts than a machine can have.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/page"
)

func main() {
	hosts := flag.Int("hosts", 10_000, "hosts of the network")
	answering := flag.Int("answering", 1, "hosts whose agents answer")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	server, err := page.Listen(0, sourceOf(&network{hosts: *hosts}, *answering))
	if err == nil {
		fmt.Println(server.URL())
		err = server.Serve(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// sourceOf is a network of which so many agents answer.
func sourceOf(n *network, answering int) page.Source {
	return page.Source{
		Agents: func(context.Context) ([]page.Agent, error) {
			out := []page.Agent{{Host: name(0), Asker: n}}
			for i := 1; i < answering; i++ {
				out = append(out, page.Agent{Host: name(i), Asker: other{n, i}})
			}
			return out, nil
		},
		Run: func(context.Context, string, []byte, ...string) (page.Output, error) {
			return page.Output{Stderr: []byte("there is no host behind this page")}, nil
		},
	}
}

// network is the agent of a made-up network: hosts on segments of up to 250, of which
// some do not answer. Each look measures anew.
type network struct {
	hosts int
	look  atomic.Int64
}

func (n *network) Events(context.Context, int64) ([]api.Event, error) { return nil, nil }

func (n *network) Status(context.Context) (api.Status, error) { return n.from(0), nil }

// dead is a host that nobody reaches, on a network on which all are asked.
const dead = 117

func name(i int) string { return fmt.Sprintf("node-%05d", i) }

func subnet(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(64 + i/256), byte(i % 256), 0}), 24)
}

func (n *network) public(i int) netip.Addr {
	size := min(250, n.hosts/4) // of a segment
	return netip.AddrFrom4([4]byte{172, 16, byte(i / size), byte(1 + i%size)})
}

// from is the status of host i.
func (n *network) from(i int) api.Status {
	look := n.look.Add(1)
	segment := netip.PrefixFrom(n.public(i), 24).Masked()
	s := api.Status{Hostname: name(i), Version: "v1.4.0", State: api.StateReady, Ready: true, Backend: "vxlan", Direct: true, Store: api.StoreState{Kind: "etcd", Up: true}}
	s.Network = []netip.Prefix{netip.MustParsePrefix("10.64.0.0/10")}
	s.Uplink = api.Uplink{Name: "eth0", OnLink: []netip.Prefix{segment}}
	s.Lease = api.Lease{Subnets: []netip.Prefix{subnet(i)}, Public: []netip.Addr{n.public(i)}, Held: true, MTU: 1450}
	for j := range n.hosts {
		if j == i {
			continue
		}
		p := api.Peer{Name: name(j), Version: "v1.4.0", Subnets: []netip.Prefix{subnet(j)}, Public: []netip.Addr{n.public(j)}, Backend: "vxlan", OnLink: []netip.Prefix{netip.PrefixFrom(n.public(j), 24).Masked()}}
		path := api.Path{Subnet: subnet(j), Kind: "vxlan", Reach: api.Reach{State: api.ReachPasses, RTT: time.Duration(400+(int64(i*7+j*13)+look)%90) * time.Microsecond}}
		if segment.Contains(n.public(j)) {
			path.Kind, path.Reach.RTT = "direct", path.Reach.RTT/4
		}
		switch bad := (i*31 + j) % 4999; {
		case i == dead || j == dead, bad == 7:
			path.Reach.State, path.Reach.Answered = api.ReachLost, time.Now().Add(-time.Minute)
		case bad == 11:
			path.Reach.Loss = 0.06
		}
		p.Paths = []api.Path{path}
		s.Peers = append(s.Peers, p)
	}
	return s
}

// other is another host of it, whose agent answers.
type other struct {
	*network
	i int
}

func (o other) Status(context.Context) (api.Status, error) { return o.from(o.i), nil }
