package main

import (
	"encoding/json"
	"fmt"
	"time"
)

// pace repeats step until d has passed and returns how often it happens in a
// second at the median step's speed. A step is short enough to run mostly
// undisturbed, so other work on the machine lengthens some steps, not the
// median.
func pace(d time.Duration, step func() error) (float64, error) {
	var took []time.Duration
	begin := time.Now()
	for last := begin; last.Sub(begin) < d; {
		if err := step(); err != nil {
			return 0, err
		}
		now := time.Now()
		took = append(took, now.Sub(last))
		last = now
	}
	return 1 / median(took).Seconds(), nil
}

// comparison holds rates a second of one thing with each kind of rules, a
// value for each round.
type comparison struct{ rounds map[ruling][]float64 }

func (c *comparison) add(r ruling, rate float64) {
	if c.rounds == nil {
		c.rounds = map[ruling][]float64{}
	}
	c.rounds[r] = append(c.rounds[r], rate)
}

// rate is the median of all rounds.
func (c comparison) rate(r ruling) float64 { return median(c.rounds[r]) }

// ratio is the median of the rounds' ratios: what slows the machine for a
// second slows both sides of one.
func (c comparison) ratio(of, to ruling) float64 {
	var all []float64
	for i, rate := range c.rounds[of] {
		all = append(all, rate/c.rounds[to][i])
	}
	return median(all)
}

// MarshalJSON writes medians.
func (c comparison) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]float64{
		"none": c.rate(noRules), "nat": c.rate(otherNAT), "weft": c.rate(weftRules),
		"weftToNone": c.ratio(weftRules, noRules), "weftToNAT": c.ratio(weftRules, otherNAT),
	})
}

func (c comparison) cells() []string {
	return []string{
		fmt.Sprintf("%.0f", c.rate(noRules)), fmt.Sprintf("%.0f", c.rate(otherNAT)), fmt.Sprintf("%.0f", c.rate(weftRules)),
		fmt.Sprintf("%.2f", c.ratio(weftRules, noRules)), fmt.Sprintf("%.2f", c.ratio(weftRules, otherNAT)),
	}
}

var firewallHeadings = []string{
	"backend", "peers", "to",
	"packets/s none", "nat", "weft", "weft:none", "weft:nat",
	"conns/s none", "nat", "weft", "weft:none", "weft:nat",
}

func (r firewallResult) cells() []string {
	row := []string{r.Backend, fmt.Sprint(r.Peers), r.To}
	return append(append(row, r.Packets.cells()...), r.Connections.cells()...)
}
