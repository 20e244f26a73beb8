package main

import (
	"context"
	"fmt"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// churnResult is one line of the table: leases changed at a fixed rate.
type churnResult struct {
	Store    string  `json:"store"`
	Peers    int     `json:"peers"`
	Changes  int     `json:"changes"`
	Rate     float64 `json:"changesPerSecond"` // as reached
	CPU      float64 `json:"cpuMillis"`        // of the agent, for one change
	Missing  rows    `json:"missing"`          // by the leases in etcd after the changes
	Stale    rows    `json:"stale"`
	Resident float64 `json:"residentMB"` // at rest, before
	Anon     float64 `json:"anonymousMB"`
	After    float64 `json:"afterMB"` // resident, at rest again
	Peak     float64 `json:"peakMB"`
	Load     string  `json:"load"` // of the machine, at the end
}

var churnHeadings = []string{
	"store", "peers", "changes", "a second", "cpu ms/change", "missing", "stale", "rss MB", "anon MB", "after MB", "peak MB", "load",
}

func (r churnResult) cells() []string {
	f := func(digits int, v float64) string { return fmt.Sprintf("%.*f", digits, v) }
	return []string{
		r.Store, fmt.Sprint(r.Peers), fmt.Sprint(r.Changes), f(0, r.Rate), f(3, r.CPU), fmt.Sprint(r.Missing.total()), fmt.Sprint(r.Stale.total()),
		f(1, r.Resident), f(1, r.Anon), f(1, r.After), f(1, r.Peak), r.Load,
	}
}

// churnRate is how many leases change in a second.
const churnRate = 200

// measureChurn changes leases among every number of peers.
func measureChurn(ctx context.Context, o *options) (all []churnResult, err error) {
	etcd, closeStore, err := serveEtcd(ctx, o, "churn-etcd")
	if err != nil {
		return nil, err
	}
	defer closeStore()
	for _, n := range o.churnN {
		progress("churn, %d peers ...", n)
		r, err := churnOnce(ctx, o, etcd, n)
		if err != nil {
			return nil, fmt.Errorf("churn with %d peers: %w", n, err)
		}
		all = append(all, r)
	}
	return all, nil
}

func churnOnce(ctx context.Context, o *options, etcd *clientv3.Client, n int) (churnResult, error) {
	r := churnResult{Store: "etcd", Peers: n}
	c := newChurn(n)
	err := withSettled(ctx, o, etcd, fmt.Sprintf("churn-%d", n), n, func(w *world, net *network, a *agent) error {
		err := r.measure(ctx, a, o.churn, func(ctx context.Context) error { return net.apply(ctx, c.next()) })
		if err != nil {
			return err
		}
		r.Missing, r.Stale, err = compareLeases(ctx, w, net)
		return err
	})
	return r, err
}

// measure has work change one lease at a time at the rate of churnRate.
func (r *churnResult) measure(ctx context.Context, a *agent, d time.Duration, work func(context.Context) error) error {
	m, err := a.memory()
	if err != nil {
		return err
	}
	r.Resident, r.Anon = megabytes(m.resident), megabytes(m.anonymous)
	before, err := a.cpu()
	if err != nil {
		return err
	}
	begin := time.Now()
	if r.Changes, err = paced(ctx, d, work); err != nil {
		return err
	}
	r.Rate = float64(r.Changes) / time.Since(begin).Seconds()
	r.Load = load()
	time.Sleep(settle)
	after, err := a.cpu()
	if err != nil {
		return err
	}
	r.CPU = millis(after-before) / float64(r.Changes)
	m, err = a.memory()
	r.After, r.Peak = megabytes(m.resident), megabytes(m.peak)
	return err
}

// load is the machine's load average of the last minute.
func load() string {
	var one string
	text, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		_, err = fmt.Sscan(string(text), &one)
	}
	if err != nil {
		return "-"
	}
	return one
}
