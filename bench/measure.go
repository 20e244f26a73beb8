package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// result is one line of the table.
type result struct {
	Backend  string    `json:"backend"`
	Peers    int       `json:"peers"`
	Rows     int       `json:"rows"`          // of peers, in the kernel
	Start    float64   `json:"startSeconds"`  // from exec to READY with all rows in place; median
	Floor    float64   `json:"floorSeconds"`  // the same rows by one batch; median
	CPU      float64   `json:"cpuSeconds"`    // user and system, until settled
	Resident float64   `json:"residentMB"`    // at rest
	Anon     float64   `json:"anonymousMB"`   // of it not backed by the program's file
	Peak     float64   `json:"peakMB"`        // at any time
	Route    float64   `json:"routeMillis"`   // from the put of a new lease to its route; median
	Etcd     float64   `json:"etcdMillis"`    // of it until a bare watch hears of the lease; median
	Syscalls *syscalls `json:"syscalls"`      // for one new lease; null without strace
	Rest     float64   `json:"restCPUMillis"` // CPU in Idle seconds of rest
	Idle     float64   `json:"restSeconds"`
}

// beyond is what the agent adds to the kernel's own time, in seconds.
func (r result) beyond() float64 { return r.Start - r.Floor }

// settle is the time after READY in which the agent finishes what it does in
// the background, such as its copy of the snapshot. It counts as start-up.
const settle = 10 * time.Second

// measure runs one case: runs cold starts, and changes and rest with the last.
func measure(ctx context.Context, o *options, etcd *clientv3.Client, backend string, n int) (result, error) {
	r := result{Backend: backend, Peers: n, Idle: o.idle.Seconds()}
	peers := peersUpTo(n)
	var starts, floors []time.Duration
	for run := range o.runs {
		took, err := oneFloor(backend, peers)
		if err != nil {
			return r, err
		}
		floors = append(floors, took)
		name := fmt.Sprintf("%s-%d-%d", backend, n, run)
		net, err := newNetwork(ctx, etcd, "/bench/"+name, backend)
		if err != nil {
			return r, err
		}
		if err := net.fill(ctx, peers); err != nil {
			return r, err
		}
		s := session{options: o, net: net, dir: filepath.Join(o.dir, name), result: &r}
		took, err = s.run(ctx, run == o.runs-1)
		if err != nil {
			return r, fmt.Errorf("%s with %d peers: %w", backend, n, err)
		}
		starts = append(starts, took)
	}
	r.Start, r.Floor = median(starts).Seconds(), median(floors).Seconds()
	return r, nil
}

func oneFloor(backend string, peers []peer) (took time.Duration, err error) {
	w, err := newWorld()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if took, err = floor(w, backend, peers); err != nil {
		return 0, err
	}
	return took, verify(w, expected(backend, len(peers)))
}

func verify(w *world, want rows) error {
	have, err := countRows(w)
	if err == nil && have != want {
		err = fmt.Errorf("the kernel has %+v, not %+v", have, want)
	}
	return err
}

// session is one agent from start to end.
type session struct {
	*options
	*result
	net   *network
	dir   string
	world *world
	agent *agent
}

// run starts an agent and returns how long that took; the long way also
// measures everything else.
func (s *session) run(ctx context.Context, long bool) (took time.Duration, err error) {
	if s.world, err = newWorld(); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.world.close()) }()
	s.agent, took, err = start(ctx, s.world, s.options, s.net.etcdArgs(s.options), nil, s.dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.agent.stop()) }()
	want := expected(s.Backend, s.Peers)
	s.Rows = want.total()
	if err := verify(s.world, want); err != nil || !long {
		return took, err
	}
	time.Sleep(settle)
	for _, step := range []func(context.Context) error{s.rest, s.changes, s.calls} {
		if err := step(ctx); err != nil {
			return took, err
		}
	}
	m, err := s.agent.memory()
	s.Peak = megabytes(m.peak)
	return took, err
}

// rest measures an agent that nothing happens to.
func (s *session) rest(context.Context) error {
	before, err := s.agent.cpu()
	if err != nil {
		return err
	}
	s.CPU = before.Seconds()
	time.Sleep(s.idle)
	after, err := s.agent.cpu()
	if err != nil {
		return err
	}
	s.Rest = millis(after - before)
	m, err := s.agent.memory()
	s.Resident, s.Anon = megabytes(m.resident), megabytes(m.anonymous)
	return err
}

func (s *session) changes(ctx context.Context) error {
	all, err := changes(ctx, s.world, s.net, s.Peers, s.puts)
	if err != nil {
		return err
	}
	var etcd, route []time.Duration
	for _, c := range all {
		etcd, route = append(etcd, c.etcd), append(route, c.route)
	}
	s.Etcd, s.Route = millis(median(etcd)), millis(median(route))
	return nil
}

func (s *session) calls(ctx context.Context) (err error) {
	s.Syscalls, err = counted(ctx, s.agent, s.puts, func() error {
		_, err := changes(ctx, s.world, s.net, s.Peers+s.puts, s.puts)
		return err
	})
	return err
}

func median[T cmp.Ordered](all []T) T {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func megabytes(n int64) float64 { return float64(n) / 1e6 }
