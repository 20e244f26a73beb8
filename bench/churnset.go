package main

import (
	"context"
	"math/rand/v2"
	"path"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"net/netip"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan/vxlan"
)

// churn is the sequence of changes and the leases that stand after each.
type churn struct {
	random *rand.Rand
	stand  []peer
	made   int // peers so far, those that left included
	turn   int
}

func newChurn(n int) *churn {
	return &churn{random: rand.New(rand.NewPCG(1, 2)), stand: peersUpTo(n), made: n}
}

// churned is one change of one lease.
type churned struct {
	before, after *peer // nil for a lease that joins or leaves
}

// next takes turns: a lease changes its value, one joins, one leaves.
func (c *churn) next() churned {
	c.turn++
	at := c.random.IntN(len(c.stand))
	before := c.stand[at]
	switch c.turn % 3 {
	case 0:
		after := before.altered(c.turn)
		c.stand[at] = after
		return churned{&before, &after}
	case 1:
		after := peerAt(c.made)
		c.made++
		c.stand = append(c.stand, after)
		return churned{nil, &after}
	default:
		last := len(c.stand) - 1
		c.stand[at] = c.stand[last]
		c.stand = c.stand[:last]
		return churned{&before, nil}
	}
}

// altered has another MAC and another public address, one that no peer made
// up by peerAt has had.
func (p peer) altered(turn int) peer {
	at := 240<<8 + turn%(15<<8)
	p.public = netip.AddrFrom4([4]byte{192, 168, byte(at >> 8), byte(at)})
	p.mac = vxlan.DeriveMAC(p.subnet.String()+p.public.String(), netconf.V4, 1)
	return p
}

// apply writes one change in one transaction.
func (n *network) apply(ctx context.Context, c churned) error {
	var ops []clientv3.Op
	if c.before != nil {
		ops = append(ops, clientv3.OpDelete(path.Join(n.prefix, "weft/addrs", c.before.public.String())))
	}
	if c.after != nil {
		puts, err := n.puts(*c.after)
		if err != nil {
			return err
		}
		ops = append(ops, puts...)
	} else {
		name := lease.Key([]netip.Prefix{c.before.subnet})
		ops = append(ops, clientv3.OpDelete(path.Join(n.prefix, "subnets", name)), clientv3.OpDelete(path.Join(n.prefix, "weft/owners", name)))
	}
	_, err := n.etcd.Txn(ctx).Then(ops...).Commit()
	return err
}

// paced calls work at churnRate for d; a call that comes late is made up for.
func paced(ctx context.Context, d time.Duration, work func(context.Context) error) (done int, err error) {
	begin := time.Now()
	for ; done < int(d.Seconds()*churnRate); done++ {
		time.Sleep(time.Until(begin.Add(time.Duration(done) * time.Second / churnRate)))
		if err := work(ctx); err != nil {
			return done, err
		}
	}
	return done, nil
}
