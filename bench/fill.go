package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"path"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan/vxlan"
)

const (
	vxlanBackend  = "vxlan"
	hostGWBackend = "host-gw"
)

// peer is one host of the network that exists in etcd alone.
type peer struct {
	subnet netip.Prefix
	public netip.Addr
	mac    netstate.MAC
}

// ownSubnet stands for the agent's own in the floor.
var ownSubnet = netip.MustParsePrefix("10.255.0.0/24")

// firstPeer leaves room below for the hub and the agent.
const firstPeer = 16 << 8

// peerAt makes up the peer with a number from 0 to 60,000.
func peerAt(i int) peer {
	subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
	at := firstPeer + i
	return peer{
		subnet: subnet,
		public: netip.AddrFrom4([4]byte{192, 168, byte(at >> 8), byte(at)}),
		mac:    vxlan.DeriveMAC(subnet.String(), netconf.V4, 1),
	}
}

func peersUpTo(n int) []peer {
	out := make([]peer, n)
	for i := range out {
		out[i] = peerAt(i)
	}
	return out
}

// network is one network in etcd, under a prefix of its own.
type network struct {
	etcd    *clientv3.Client
	prefix  string
	backend string
	ttl     clientv3.LeaseID // what the peers' keys hang on
}

// leaseSeconds is flannel's time to live of a lease.
const leaseSeconds = 24 * 60 * 60

// opsPerTxn stays under etcd's limit of 128.
const opsPerTxn = 120

func newNetwork(ctx context.Context, etcd *clientv3.Client, prefix, backend string) (*network, error) {
	grant, err := etcd.Grant(ctx, leaseSeconds)
	if err != nil {
		return nil, fmt.Errorf("get a lease from etcd: %w", err)
	}
	n := &network{etcd: etcd, prefix: prefix, backend: backend, ttl: grant.ID}
	doc := fmt.Sprintf(`{"Network": "10.0.0.0/8", "SubnetLen": 24, "Backend": {"Type": %q}}`, backend)
	_, err = etcd.Put(ctx, path.Join(prefix, "config"), doc)
	return n, err
}

// fill writes peers as hosts that run weft leave them: the lease, and beside it
// the record of its owner and of its address.
func (n *network) fill(ctx context.Context, peers []peer) error {
	var ops []clientv3.Op
	for _, p := range peers {
		more, err := n.puts(p)
		if err != nil {
			return err
		}
		ops = append(ops, more...)
	}
	for len(ops) > 0 {
		k := min(len(ops), opsPerTxn)
		if _, err := n.etcd.Txn(ctx).Then(ops[:k]...).Commit(); err != nil {
			return fmt.Errorf("write leases to etcd: %w", err)
		}
		ops = ops[k:]
	}
	return nil
}

func (n *network) puts(p peer) ([]clientv3.Op, error) {
	key, value, err := n.lease(p)
	if err != nil {
		return nil, err
	}
	name := lease.Key([]netip.Prefix{p.subnet})
	owner, err := json.Marshal(lease.Owner{
		ID:       "BENCHBENCHBENCHBENCH" + p.subnet.Addr().String(),
		Hostname: "host-" + p.public.String(),
		Machine:  "0123456789abcdef01234567",
	})
	if err != nil {
		return nil, err
	}
	ttl := clientv3.WithLease(n.ttl)
	return []clientv3.Op{
		clientv3.OpPut(key, value, ttl),
		clientv3.OpPut(path.Join(n.prefix, "weft/owners", name), string(owner), ttl),
		clientv3.OpPut(path.Join(n.prefix, "weft/addrs", p.public.String()), name, ttl),
	}, nil
}

// lease is p's key and value in flannel's form.
func (n *network) lease(p peer) (key, value string, err error) {
	attrs := lease.Attrs{Public: []netip.Addr{p.public}, Backend: n.backend}
	if n.backend == vxlanBackend {
		attrs.Data = lease.Data{V4: vxlan.Data{VNI: 1, MAC: p.mac}.Marshal()}
	}
	doc, err := lease.MarshalAttrs(attrs)
	return path.Join(n.prefix, "subnets", lease.Key([]netip.Prefix{p.subnet})), string(doc), err
}
