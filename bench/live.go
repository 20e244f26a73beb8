package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/lab"
)

// liveResult is one line of the table: a change of the config under traffic
// between every two of four pods.
type liveResult struct {
	Change string  `json:"change"`
	Took   float64 `json:"seconds"` // from the command's start until every host has followed
	Sent   int     `json:"sent"`
	Lost   int     `json:"lost"`
	Gap    float64 `json:"longestGapMillis"` // between two replies of one pair
}

var liveHeadings = []string{"change", "took s", "sent", "lost", "longest gap ms"}

func (r liveResult) cells() []string {
	return []string{r.Change, fmt.Sprintf("%.1f", r.Took), fmt.Sprint(r.Sent), fmt.Sprint(r.Lost), fmt.Sprintf("%.1f", r.Gap)}
}

// liveChange is one step; its config replaces that of the step before.
type liveChange struct{ name, doc string }

const (
	liveInterval = 5 * time.Millisecond // of each pair's pings
	liveAfter    = 3 * time.Second      // of pings after every host has followed
)

// overlay is the network of crews.
var overlay = netip.MustParsePrefix("172.7.0.0/16")

func vxlanDoc(rest string) string {
	return `{"Network":"` + overlay.String() + `","Backend":{"Type":"vxlan"` + rest + `}}`
}

// The changes on one segment, where host-gw works, and on two.
var (
	flatChanges = []liveChange{
		{"", `{"Network":"172.7.0.0/16","Backend":{"Type":"host-gw"}}`},
		{"host-gw to vxlan", vxlanDoc("")},
		{"vxlan to host-gw", `{"Network":"172.7.0.0/16","Backend":{"Type":"host-gw"}}`},
	}
	splitChanges = []liveChange{
		{"", vxlanDoc("")},
		{"DirectRouting on", vxlanDoc(`,"DirectRouting":true`)},
		{"another VNI and port", vxlanDoc(`,"DirectRouting":true,"VNI":2,"Port":4789`)},
		{"DirectRouting off, VNI and port back", vxlanDoc("")},
		{"another port alone", vxlanDoc(`,"Port":4789`)},
		{"another MTU", vxlanDoc(`,"Port":4789,"MTU":1400`)},
		{"a wider network", `{"Network":"172.4.0.0/14","Backend":{"Type":"vxlan","Port":4789,"MTU":1400}}`},
	}
)

// measureLive runs every change.
func measureLive(ctx context.Context, o *options) (all []liveResult, err error) {
	for _, part := range []struct {
		name     string
		topology lab.Topology
		changes  []liveChange
	}{{"flat", lab.FlatDemo(), flatChanges}, {"split", lab.Demo(), splitChanges}} {
		rs, err := measureChanges(ctx, o, part.name, part.topology, part.changes)
		if err != nil {
			return nil, err
		}
		all = append(all, rs...)
	}
	return all, nil
}

func measureChanges(ctx context.Context, o *options, name string, t lab.Topology, changes []liveChange) (all []liveResult, err error) {
	c, err := newCrew(ctx, o, name, changes[0].doc, t, lab.EtcdBuiltIn)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	for _, change := range changes[1:] {
		progress("change, %s ...", change.name)
		r, err := c.live(ctx, change)
		if err != nil {
			return nil, fmt.Errorf("change, %s: %w", change.name, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// live makes one change under pings.
func (c *crew) live(ctx context.Context, change liveChange) (liveResult, error) {
	r := liveResult{Change: change.name}
	pingers, err := c.pingAll()
	if err == nil {
		begin := time.Now()
		err = c.configure(ctx, change.doc)
		r.Took = time.Since(begin).Seconds()
		time.Sleep(liveAfter)
	}
	for _, tally := range stopAll(pingers) {
		r.Sent, r.Lost = r.Sent+tally.Sent, r.Lost+tally.Lost()
		r.Gap = max(r.Gap, millis(tally.Gap))
	}
	return r, err
}

// stopAll ends all pings at one time.
func stopAll(pingers []*lab.Pinger) []lab.Tally {
	tallies := make([]lab.Tally, len(pingers))
	var all sync.WaitGroup
	for i, p := range pingers {
		all.Go(func() { tallies[i] = p.Stop() })
	}
	all.Wait()
	return tallies
}

// pingAll starts pings from every pod to every other.
func (c *crew) pingAll() (all []*lab.Pinger, err error) {
	for _, from := range c.pods {
		for _, to := range c.pods {
			if from == to {
				continue
			}
			p, err := from.StartPinger(to.Addrs[0].Addr(), liveInterval)
			if err != nil {
				return all, err
			}
			all = append(all, p)
		}
	}
	return all, nil
}
