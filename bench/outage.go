package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/lab"
)

// outageResult is one line of the table: an agent whose store is as Store says
// for some time.
type outageResult struct {
	Store   string  `json:"store"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpuMillis"`     // in that time
	Hour    float64 `json:"secondsAnHour"` // of CPU, scaled up
	Passes  int     `json:"passes"`        // over the kernel
	CatchUp int     `json:"catchUpOps"`    // changes of the kernel when the store is back
}

var outageHeadings = []string{"store", "seconds", "cpu ms", "cpu s/hour", "passes", "changes after"}

func (r outageResult) cells() []string {
	return []string{r.Store, fmt.Sprintf("%.0f", r.Seconds), fmt.Sprintf("%.1f", r.CPU), fmt.Sprintf("%.2f", r.Hour), fmt.Sprint(r.Passes), fmt.Sprint(r.CatchUp)}
}

// outageStep is a state of the store, and how it gets there and out of it.
type outageStep struct {
	name       string
	begin, end func(ctx context.Context, c *crew) error
}

var outageSteps = []outageStep{
	{"answers", nothing, nothing},
	{"stopped: connections are refused", stopStore, startStore},
	{"hangs: nothing is answered", signalStore(unix.SIGSTOP), signalStore(unix.SIGCONT)},
}

func nothing(context.Context, *crew) error { return nil }

func stopStore(_ context.Context, c *crew) error {
	c.store.Kill()
	return nil
}

func startStore(ctx context.Context, c *crew) error {
	host, err := c.lab.Host(lab.StoreHost)
	if err == nil {
		c.store, err = host.StartEtcd(ctx, lab.EtcdExternal)
	}
	return err
}

func signalStore(sig unix.Signal) func(context.Context, *crew) error {
	return func(_ context.Context, c *crew) error { return unix.Kill(c.store.PID(), sig) }
}

// outageSettle lets an agent finish what a change of the store made it do.
const outageSettle = 15 * time.Second

// measureOutage takes the store away from a running network.
func measureOutage(ctx context.Context, o *options) (all []outageResult, err error) {
	c, err := newCrew(ctx, o, "outage", vxlanDoc(""), lab.Demo(), lab.EtcdExternal)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	for _, step := range outageSteps {
		progress("outage, the store %s ...", step.name)
		time.Sleep(outageSettle)
		r, err := c.endure(ctx, step, o.outage)
		if err != nil {
			return nil, fmt.Errorf("outage, the store %s: %w", step.name, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// endure measures the first host's agent.
func (c *crew) endure(ctx context.Context, step outageStep, d time.Duration) (outageResult, error) {
	r := outageResult{Store: step.name, Seconds: d.Seconds()}
	agent := c.hosts[0].Agents()[0].PID()
	before, err := c.counts(ctx)
	if err != nil {
		return r, err
	}
	if err := step.begin(ctx, c); err != nil {
		return r, err
	}
	used, err := cpuOf(agent)
	if err != nil {
		return r, err
	}
	time.Sleep(d)
	now, err := cpuOf(agent)
	if err != nil {
		return r, err
	}
	r.CPU = millis(now - used)
	r.Hour = (now - used).Seconds() * float64(time.Hour) / float64(d)
	during, err := c.counts(ctx)
	if err != nil {
		return r, err
	}
	r.Passes = during.Passes - before.Passes
	if err := step.end(ctx, c); err != nil {
		return r, err
	}
	time.Sleep(outageSettle)
	after, err := c.counts(ctx)
	r.CatchUp = sum(after.Ops) - sum(during.Ops)
	return r, err
}

// counts asks the first host's agent what it has done so far.
func (c *crew) counts(ctx context.Context) (api.Counts, error) {
	var s api.Status
	text, err := c.hosts[0].Run(ctx, "weft", "status", "-o", "json")
	if err == nil {
		err = json.Unmarshal([]byte(text), &s)
	}
	return s.Counts, err
}

func sum(counts map[string]int) (n int) {
	for _, k := range counts {
		n += k
	}
	return n
}
