package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/netns"
)

// callResult is one line of the table of calls.
type callResult struct {
	Type    string  `json:"type"`
	Pods    int     `json:"pods"` // on the host before
	Version latency `json:"version"`
	Add     latency `json:"add"`
	Del     latency `json:"del"`
}

// latency is how long the calls of one kind took.
type latency struct{ took []time.Duration }

func (l *latency) add(d time.Duration) { l.took = append(l.took, d) }

// at is the duration in milliseconds that a share of the calls stayed below.
func (l latency) at(share float64) float64 {
	sorted := slices.Sorted(slices.Values(l.took))
	return millis(sorted[int(share*float64(len(sorted)-1))])
}

// MarshalJSON writes percentiles in milliseconds.
func (l latency) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"p50": %.2f, "p99": %.2f}`, l.at(.5), l.at(.99)), nil
}

func (l latency) cells() []string {
	return []string{fmt.Sprintf("%.1f", l.at(.5)), fmt.Sprintf("%.1f", l.at(.99))}
}

var callHeadings = []string{"type", "pods", "start ms p50", "p99", "ADD ms p50", "p99", "DEL ms p50", "p99"}

func (r callResult) cells() []string {
	row := []string{r.Type, fmt.Sprint(r.Pods)}
	for _, l := range []latency{r.Version, r.Add, r.Del} {
		row = append(row, l.cells()...)
	}
	return row
}

// measureCalls has each plugin add a pod and delete it again, in turns, on a
// host of its own with a number of pods.
func measureCalls(ctx context.Context, o *options, all []plugin, others string, pods int) (out []callResult, err error) {
	pod, err := netns.New("pod")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, pod.Close()) }()
	var hosts []*podHost
	defer func() {
		for _, h := range hosts {
			err = errors.Join(err, h.close())
		}
	}()
	for _, p := range all {
		h, err := newPodHost(o, p, others)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
		out = append(out, callResult{Type: p.Name, Pods: pods})
		for range pods {
			if _, _, err := h.addPod(ctx); err != nil {
				return nil, err
			}
		}
	}
	for round := range o.calls {
		for i := range hosts {
			k := (i + round) % len(hosts) // none is always first
			if err := out[k].measure(ctx, hosts[k], fmt.Sprintf("pod%d", round), pod); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (r *callResult) measure(ctx context.Context, h *podHost, id string, pod *netns.NS) error {
	for _, c := range []struct {
		command string
		in      *latency
	}{{"VERSION", &r.Version}, {"ADD", &r.Add}, {"DEL", &r.Del}} {
		took, _, err := h.call(ctx, c.command, id, pod)
		if err != nil {
			return err
		}
		c.in.add(took)
	}
	return nil
}
