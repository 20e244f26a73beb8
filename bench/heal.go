package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/netstate"
)

// healResult is one line of the table: from just before a fault until the
// kernel equals the plan again, of many times.
type healResult struct {
	Fault   string  `json:"fault"`
	Times   int     `json:"times"`
	Median  float64 `json:"medianMillis"`
	Slowest float64 `json:"slowestMillis"`
}

var healHeadings = []string{"fault", "times", "median ms", "slowest ms"}

func (r healResult) cells() []string {
	return []string{r.Fault, fmt.Sprint(r.Times), fmt.Sprintf("%.1f", r.Median), fmt.Sprintf("%.1f", r.Slowest)}
}

// Between two faults the agent comes to rest; none may keep it busy for longer
// than healLimit.
const (
	healPause = 300 * time.Millisecond
	healLimit = 30 * time.Second
)

// measureHeal breaks one host of a running network again and again.
func measureHeal(ctx context.Context, o *options) (all []healResult, err error) {
	c, err := newCrew(ctx, o, "heal", vxlanDoc(`,"DirectRouting":true`), lab.Demo(), lab.EtcdBuiltIn)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	p, err := newPatient(ctx, c.hosts[0])
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.eyes.Close()) }()
	for _, f := range p.faults() {
		progress("heal, %s ...", f.name)
		var took []time.Duration
		for range o.times {
			d, err := p.suffer(ctx, f)
			if err != nil {
				return nil, fmt.Errorf("heal, %s: %w", f.name, err)
			}
			took = append(took, d)
		}
		all = append(all, healResult{f.name, o.times, millis(median(took)), millis(slices.Max(took))})
	}
	return all, nil
}

// patient is the host that is broken, and a view of its kernel of the bench's
// own: it looks as an agent looks, and without a pause.
type patient struct {
	host  *lab.Host
	eyes  *kernel.Kernel
	want  *netstate.State
	scope netstate.Scope
}

func newPatient(ctx context.Context, h *lab.Host) (*patient, error) {
	p := &patient{host: h}
	text, err := h.Run(ctx, "weft", "plan")
	if err != nil {
		return nil, err
	}
	if p.want, err = netstate.Parse(strings.NewReader(text)); err != nil {
		return nil, err
	}
	p.scope = netstate.ScopeOf([]netip.Prefix{overlay}, p.want)
	err = h.Do(func() error {
		p.eyes, err = kernel.New(slog.New(slog.DiscardHandler))
		return err
	})
	return p, err
}

// suffer inflicts f and returns how long it takes until all is as planned.
func (p *patient) suffer(ctx context.Context, f fault) (time.Duration, error) {
	if err := p.await(ctx); err != nil {
		return 0, err
	}
	time.Sleep(healPause)
	begin := time.Now()
	if err := f.inflict(); err != nil {
		return 0, err
	}
	err := p.await(ctx)
	return time.Since(begin), err
}

// await looks until the kernel is as planned.
func (p *patient) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healLimit)
	defer cancel()
	for {
		have, err := p.eyes.Observe(ctx, p.scope, netstate.AllKinds)
		if err != nil {
			return err
		}
		if len(netstate.Diff(have, p.want)) == 0 {
			return nil
		}
	}
}
