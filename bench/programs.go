package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// programResult is what one of the fast path's programs costs a packet.
type programResult struct {
	Backend     string  `json:"backend"`
	Program     string  `json:"program"`
	Runs        uint64  `json:"runs"`
	Nanoseconds float64 `json:"nanoseconds"` // a run
}

var programHeadings = []string{"backend", "program", "runs", "ns a run"}

func (r programResult) cells() []string {
	return []string{r.Backend, r.Program, fmt.Sprint(r.Runs), fmt.Sprintf("%.0f", r.Nanoseconds)}
}

// programs floods once by the fast path while the kernel counts what programs take, which
// makes each run slower itself: so nothing else is measured then.
func (d *datapath) programs(o *options, backend string) (out []programResult, err error) {
	if err := d.turn(true); err != nil {
		return nil, err
	}
	counting, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		return nil, fmt.Errorf("count what programs take: %w", err)
	}
	defer func() { err = errors.Join(err, counting.Close()) }()
	if _, err := flood(way4(byFast), payload, o.slice); err != nil {
		return nil, err
	}
	var id ebpf.ProgramID
	for {
		if id, err = ebpf.ProgramGetNextID(id); errors.Is(err, os.ErrNotExist) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		p, err := ebpf.NewProgramFromID(id)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		info, err := p.Info()
		stats, failed := p.Stats()
		if err := errors.Join(err, failed, p.Close()); err != nil {
			return nil, err
		}
		runs := stats.RunCount
		if slices.Contains([]string{"weft_pod", "weft_uplink"}, info.Name) && runs > 1000 { // the other host's see no flood
			out = append(out, programResult{backend, info.Name, runs, float64(stats.Runtime.Nanoseconds()) / float64(runs)})
		}
	}
}
