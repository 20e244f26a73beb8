package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/fastpath"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/test/twohosts"
)

// onlyDatapath reports whether a command line asks for the data path alone. It
// needs root of the first user namespace, which the other parts do without.
func onlyDatapath(args []string) bool {
	o, err := parse(args)
	return err == nil && o.only == datapathPart
}

// route is by what packets get from one host to the other.
type route string

// The routes: between the hosts themselves, and between pods by the kernel's path
// and by the fast path.
const (
	byHost   route = "host"
	byKernel route = "kernel"
	byFast   route = "fast"
)

var routesCompared = []route{byHost, byKernel, byFast}

// datapathResult is one line of the table: a kind of traffic by all routes.
type datapathResult struct {
	Backend string `json:"backend"`
	Traffic string `json:"traffic"`
	Unit    string `json:"unit"`
	rounds  map[route][]float64
	Host    float64 `json:"host"` // median
	Kernel  spread  `json:"kernelToHost"`
	Fast    spread  `json:"fastToHost"`
}

// spread is what ratios of the rounds are: those of one round were measured within
// a second, so that what else the machine does falls on both.
type spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

func (s spread) String() string { return fmt.Sprintf("%.2f (%.2f-%.2f)", s.Median, s.Low, s.High) }

var datapathHeadings = []string{"backend", "traffic", "host", "unit", "kernel : host", "fast : host"}

func (r datapathResult) cells() []string {
	return []string{r.Backend, r.Traffic, fmt.Sprintf("%.4g", r.Host), r.Unit, r.Kernel.String(), r.Fast.String()}
}

func (r *datapathResult) finish() {
	to := func(of route) spread {
		var all []float64
		for i, v := range r.rounds[of] {
			all = append(all, v/r.rounds[byHost][i])
		}
		slices.Sort(all)
		return spread{all[len(all)/2], all[0], all[len(all)-1]}
	}
	r.Host, r.Kernel, r.Fast = median(r.rounds[byHost]), to(byKernel), to(byFast)
}

// measureDatapath measures all kinds of traffic by all routes in turns.
func measureDatapath(ctx context.Context, o *options) (out []datapathResult, costs []programResult, err error) {
	if unix.Geteuid() != 0 {
		return nil, nil, errors.New("-only datapath loads eBPF programs: run it as root")
	}
	d, err := newDatapath()
	if err != nil {
		return nil, nil, err
	}
	defer d.close()
	for _, backend := range []string{vxlanBackend, "direct"} {
		d.direct = backend != vxlanBackend
		if d.direct {
			if err := twohosts.RouteDirectly(); err != nil {
				return nil, nil, err
			}
		}
		progress("data path, %s ...", backend)
		rows := map[string]*datapathResult{}
		for _, k := range traffics {
			for _, name := range k.rows {
				rows[name] = &datapathResult{Backend: backend, Traffic: name, Unit: units[name], rounds: map[route][]float64{}}
			}
		}
		for round := range o.rounds {
			if err := d.round(ctx, o, round, rows); err != nil {
				return nil, nil, fmt.Errorf("data path, %s: %w", backend, err)
			}
		}
		for _, k := range traffics {
			for _, name := range k.rows {
				rows[name].finish()
				out = append(out, *rows[name])
			}
		}
		all, err := d.programs(o, backend)
		if err != nil {
			return nil, nil, err
		}
		costs = append(costs, all...)
	}
	return out, costs, nil
}

// datapath is two hosts with a pod each.
type datapath struct {
	remove func()
	conns  map[int]*fastpath.Conn
	direct bool
}

func newDatapath() (d *datapath, err error) {
	d = &datapath{conns: map[int]*fastpath.Conn{}}
	if d.remove, err = twohosts.Build(twohosts.Wire, twohosts.Veth); err != nil {
		return nil, err
	}
	if err := twohosts.Run(twohosts.Firewall); err != nil {
		return nil, err
	}
	if err := unix.Mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700"); err != nil { // this process's own
		return nil, fmt.Errorf("mount the BPF file system: %w", err)
	}
	for n := 1; n <= 2; n++ {
		d.conns[n] = fastpath.Open(twohosts.In(fmt.Sprintf("h%d", n)))
		if why := d.conns[n].Missing(); why != "" {
			return nil, errors.New("no fast path here: " + why)
		}
	}
	return d, nil
}

func (d *datapath) close() {
	_ = unix.Unmount("/sys/fs/bpf", unix.MNT_DETACH)
	d.remove()
}

// round measures each kind of traffic once by each route. Every round begins with
// another route, so that none is always first.
func (d *datapath) round(ctx context.Context, o *options, round int, rows map[string]*datapathResult) error {
	for _, k := range traffics {
		for i := range routesCompared {
			r := routesCompared[(i+round)%len(routesCompared)]
			if err := errors.Join(ctx.Err(), d.turn(r == byFast)); err != nil {
				return err
			}
			values, err := k.measure(way4(r), o.slice)
			if err != nil {
				return fmt.Errorf("%s by route %q: %w", k.rows[0], r, err)
			}
			for j, name := range k.rows {
				rows[name].rounds[r] = append(rows[name].rounds[r], values[j])
			}
		}
	}
	return nil
}

// turn turns the fast path of both hosts on or off.
func (d *datapath) turn(on bool) error {
	for n, c := range d.conns {
		want := &netstate.State{}
		if on {
			var err error
			if want, err = twohosts.Want(n, twohosts.Veth, d.direct, fastpath.Code()); err != nil {
				return err
			}
		}
		found, err := c.Observe(func(string, []netip.Prefix) bool { return true })
		if err != nil {
			return err
		}
		have, err := (&netstate.Builder{Fast: found}).State()
		if err != nil {
			return err
		}
		if err := errors.Join(c.Apply(netstate.Diff(have, want))...); err != nil {
			return err
		}
	}
	return nil
}

// space is a namespace of twohosts.
type space string

func (s space) Do(f func() error) error { return twohosts.In(string(s))(f) }

func way4(r route) way {
	at := netip.MustParseAddr
	if r == byHost {
		return way{space("h1"), at("10.4.0.1"), space("h2"), at("10.4.0.2")}
	}
	return way{space("p1"), at("10.5.1.7"), space("p2"), at("10.5.2.7")}
}
