package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// podWayResult compares the ways from pod to pod on one host.
type podWayResult struct {
	What string  `json:"what"`
	Weft float64 `json:"weft"`   // a second, through two veths and the host's routes
	Via  float64 `json:"bridge"` // through a bridge
	Rate float64 `json:"ratio"`  // median of the rounds' ratios
}

var podWayHeadings = []string{"pod to pod", "weft", "bridge", "weft:bridge"}

func (r podWayResult) cells() []string {
	return []string{r.What, fmt.Sprintf("%.0f", r.Weft), fmt.Sprintf("%.0f", r.Via), fmt.Sprintf("%.2f", r.Rate)}
}

// measurePodWays sends packets and makes connections between two pods of each
// of two plugins, in turns.
func measurePodWays(ctx context.Context, o *options, two []plugin, others string) (out []podWayResult, err error) {
	var ways []way
	for _, p := range two {
		h, err := newPodHost(o, p, others)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, h.close()) }()
		w, err := h.way(ctx)
		if err != nil {
			return nil, err
		}
		ways = append(ways, w)
	}
	rates := map[string][2][]float64{}
	for round := range o.rounds {
		for i := range ways {
			k := (i + round) % len(ways)
			packets, err := flood(ways[k], payload, o.slice)
			if err != nil {
				return nil, err
			}
			conns, err := connections(ways[k], o.slice)
			if err != nil {
				return nil, err
			}
			for what, rate := range map[string]float64{packetsASecond: packets, connsASecond: conns} {
				both := rates[what]
				both[k] = append(both[k], rate)
				rates[what] = both
			}
		}
	}
	for _, what := range []string{packetsASecond, connsASecond} {
		out = append(out, compare(what, rates[what]))
	}
	return out, nil
}

const (
	packetsASecond = "packets/s"
	connsASecond   = "conns/s"
)

func compare(what string, rates [2][]float64) podWayResult {
	var ratios []float64
	for i, r := range rates[0] {
		ratios = append(ratios, r/rates[1][i])
	}
	return podWayResult{What: what, Weft: median(rates[0]), Via: median(rates[1]), Rate: median(ratios)}
}

// way adds two pods and returns the way between them.
func (h *podHost) way(ctx context.Context) (way, error) {
	from, source, err := h.addPod(ctx)
	if err != nil {
		return way{}, err
	}
	to, addr, err := h.addPod(ctx)
	if err != nil {
		return way{}, err
	}
	w := way{from: from, source: source, to: to, addr: addr}
	// The first packet over a bridge asks for a MAC and may be late.
	_, err = connections(w, time.Millisecond)
	return w, err
}
