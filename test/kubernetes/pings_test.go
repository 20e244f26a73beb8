package kubernetes

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/lab"
)

// pingInterval is the pace of pings while something happens.
const pingInterval = 10 * time.Millisecond

// pings are running between servers.
type pings struct {
	c       *cluster
	entered []*lab.Node
	running map[string]*lab.Pinger
}

// startPings pings each server from each other one that is a pod, by the cluster's first family, but
// for those on nodes that are left out.
func (c *cluster) startPings(servers []server, without ...string) *pings {
	c.t.Helper()
	p := &pings{c: c, running: map[string]*lab.Pinger{}}
	for _, from := range servers {
		if !from.isPod() || slices.Contains(without, from.node.Name) {
			continue
		}
		n, err := from.enter()
		if err != nil {
			c.t.Fatal(err)
		}
		p.entered = append(p.entered, n)
		for _, to := range servers {
			if to.name == from.name || to.node == nil || slices.Contains(without, to.node.Name) {
				continue
			}
			for _, is6 := range c.families {
				pinger, err := n.StartPinger(to.addr(is6), pingInterval)
				if err != nil {
					c.t.Fatal(err)
				}
				p.running[fmt.Sprintf("%s to %s, %s", from.name, to.name, familyName(is6))] = pinger
			}
		}
	}
	return p
}

// stop ends the pings and prints their number. None may be lost.
func (p *pings) stop(during string) {
	p.c.t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	sent, lost, gap := 0, 0, time.Duration(0)
	for name, pinger := range p.running {
		all.Go(func() {
			tally := pinger.Stop()
			mu.Lock()
			defer mu.Unlock()
			sent, lost, gap = sent+tally.Sent, lost+tally.Lost(), max(gap, tally.Gap)
			if err := tally.Err(); err != nil {
				p.c.t.Errorf("%s: %s: %v; longest gap %s", during, name, err, tally.Gap)
			}
		})
	}
	all.Wait()
	for _, n := range p.entered {
		if err := n.Close(); err != nil {
			p.c.t.Error(err)
		}
	}
	p.c.report(during, fmt.Sprintf("%d of %d pings lost, longest gap %s", lost, sent, gap.Round(time.Millisecond)))
}

// enter returns the network of a pod, which containerd keeps among the files of its node.
func (s server) enter() (*lab.Node, error) {
	paths, err := filepath.Glob(s.node.path("/run/netns/*"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		n, err := lab.Open(s.name, path)
		if err != nil {
			continue // it ended meanwhile
		}
		if n.Do(func() error { return hasAddr(s.addrs[0]) }) == nil {
			return n, nil
		}
		if err := n.Close(); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s has no network namespace with the address %s", s.node.Name, s.addrs[0])
}

// hasAddr returns nil if an interface here has the address.
func hasAddr(want netip.Addr) error {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr() == want {
			return nil
		}
	}
	return errors.New("it is another's")
}

// report prints a line of the table of what happens in a cluster's life.
func (c *cluster) report(what, outcome string) { fmt.Printf("| %s | %s |\n", what, outcome) }
