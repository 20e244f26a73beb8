package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// guardSizes are the numbers of peers that the guard knows.
var guardSizes = []int{10, 10000}

// firewallResult is one line of the firewall's table.
type firewallResult struct {
	Backend     string     `json:"backend"`
	Peers       int        `json:"peers"`
	To          string     `json:"to"` // pod or outside
	Packets     comparison `json:"packetsPerSecond"`
	Connections comparison `json:"connectionsPerSecond"`
}

// measureFirewall runs every case: with rules and without, in turns.
func measureFirewall(ctx context.Context, o *options) (all []firewallResult, err error) {
	for _, backend := range o.backends {
		for _, n := range guardSizes {
			progress("firewall, %s, %d peers ...", backend, n)
			rs, err := measureRules(ctx, o, backend, n)
			if err != nil {
				return nil, fmt.Errorf("firewall, %s with %d peers: %w", backend, n, err)
			}
			all = append(all, rs...)
		}
	}
	return all, nil
}

func measureRules(ctx context.Context, o *options, backend string, n int) (out []firewallResult, err error) {
	f, err := newFabric(ctx, o, backend, n)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	book, err := readRules(ctx, f.hosts, backend, n)
	if err != nil {
		return nil, err
	}
	pod := firewallResult{Backend: backend, Peers: n, To: "pod"}
	outside := firewallResult{Backend: backend, Peers: n, To: "outside"}
	for round := range o.rounds {
		// Each round begins with another, so that none is always first.
		for i := range rulings {
			r := rulings[(i+round)%len(rulings)]
			if err := book.impose(ctx, r); err != nil {
				return nil, err
			}
			if err := errors.Join(pod.measure(f.toPod(), r, o.slice), outside.measure(f.toOutside(r), r, o.slice)); err != nil {
				return nil, fmt.Errorf("with rules of kind %q: %w", r, err)
			}
		}
	}
	if err := book.impose(ctx, weftRules); err != nil {
		return nil, err
	}
	return []firewallResult{pod, outside}, book.check(ctx)
}

// toPod is the way from pod to pod, which never changes a source.
func (f *fabric) toPod() way {
	return way{from: f.from.Node, source: f.from.Addrs[0].Addr(), to: f.to.Node, addr: f.to.Addrs[0].Addr()}
}

// toOutside is the way out of the network, which weft masquerades.
func (f *fabric) toOutside(r ruling) way {
	w := way{from: f.from.Node, source: f.from.Addrs[0].Addr(), to: f.outside.Node, addr: f.outside.Addrs[0].Addr()}
	if r == weftRules {
		w.source = f.hosts[0].Addrs[0].Addr()
	}
	return w
}

func (r *firewallResult) measure(w way, with ruling, d time.Duration) error {
	packets, err := flood(w, payload, d)
	if err != nil {
		return err
	}
	conns, err := connections(w, d)
	if err != nil {
		return err
	}
	r.Packets.add(with, packets)
	r.Connections.add(with, conns)
	return nil
}
