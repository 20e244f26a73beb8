package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// putResult is one line of the table: single leases put among so many others.
type putResult struct {
	Peers int     `json:"peers"`
	Puts  int     `json:"puts"`
	Route float64 `json:"routeMillis"` // from the put of a new lease to its route; median
	Slow  float64 `json:"routeMillis90"`
	Etcd  float64 `json:"etcdMillis"` // of it until a bare watch hears of the lease; median
	Ratio float64 `json:"ratio"`      // of Route to that of the first line
	Load  string  `json:"load"`       // of the machine, at the end
}

var putHeadings = []string{"peers", "puts", "route ms", "p90", "etcd ms", "ratio", "load"}

func (r putResult) cells() []string {
	f := func(v float64) string { return fmt.Sprintf("%.2f", v) }
	return []string{fmt.Sprint(r.Peers), fmt.Sprint(r.Puts), f(r.Route), f(r.Slow), f(r.Etcd), f(r.Ratio), r.Load}
}

// measurePuts puts single leases among every number of peers.
func measurePuts(ctx context.Context, o *options) (all []putResult, err error) {
	etcd, closeStore, err := serveEtcd(ctx, o, "put-etcd")
	if err != nil {
		return nil, err
	}
	defer closeStore()
	for _, n := range o.putN {
		progress("single puts, %d peers ...", n)
		r, err := putsAmong(ctx, o, etcd, n)
		if err != nil {
			return nil, fmt.Errorf("single puts with %d peers: %w", n, err)
		}
		all = append(all, r)
		all[len(all)-1].Ratio = r.Route / all[0].Route
	}
	return all, nil
}

func putsAmong(ctx context.Context, o *options, etcd *clientv3.Client, n int) (putResult, error) {
	r := putResult{Peers: n, Puts: o.singles}
	var took []change
	err := withSettled(ctx, o, etcd, fmt.Sprintf("put-%d", n), n, func(w *world, net *network, _ *agent) (err error) {
		took, err = changes(ctx, w, net, n, o.singles)
		r.Load = load()
		return err
	})
	if err != nil {
		return r, err
	}
	var route, heard []time.Duration
	for _, c := range took {
		route, heard = append(route, c.route), append(heard, c.etcd)
	}
	slices.Sort(route)
	r.Route, r.Slow, r.Etcd = millis(median(route)), millis(route[len(route)*9/10]), millis(median(heard))
	return r, nil
}
