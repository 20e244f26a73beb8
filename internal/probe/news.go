package probe

import (
	"net/netip"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/sorted"
)

// gather is how long paths that pass for the first time are gathered before
// they are told: where thousands of peers come up, each would make a plan.
const gather = 2 * time.Second

// knows reports whether p is a path of the present.
func (e *Engine) knows(p *path) bool {
	subnet, _ := p.pair.subnet()
	return e.pairs[subnet] == p.pair && slices.Contains(p.pair.paths, p)
}

// changed has a path's proof told, if it matters to the plan: at once if the
// path was lost or is back, or carries other sizes.
func (e *Engine) changed(p *path, was plan.Verdict, at time.Duration) {
	now := told{p.verdict, p.mtu}
	if now == p.told && !p.pending {
		return
	}
	matters := len(p.pair.paths) > 1 || p.mtu > 0 || p.verdict == plan.Lost || p.told != told{}
	if !matters {
		return
	}
	due := at
	if was == plan.Unmeasured && p.verdict == plan.Passes {
		due += gather
	}
	if len(e.news)+len(e.gone) == 0 || due < e.tell {
		e.tell = due
	}
	if !p.pending {
		p.pending = true
		e.news = append(e.news, p)
	}
}

// retire has it told that nothing is known of a path any more.
func (e *Engine) retire(p *path) {
	if p.told == (told{}) {
		return
	}
	e.tell = 0
	e.gone = append(e.gone, plan.Proof{Subnets: p.pair.subnets, Family: p.pair.family, Kind: p.target.Kind})
}

// News returns the proofs that are to be told by now, each once.
func (e *Engine) News(now time.Time) []plan.Proof {
	if len(e.news)+len(e.gone) == 0 || e.at(now) < e.tell {
		return nil
	}
	out := e.gone
	for _, p := range e.news {
		p.pending = false
		if say := (told{p.verdict, p.mtu}); e.knows(p) && say != p.told {
			p.told = say
			out = append(out, p.proof())
		}
	}
	e.news, e.gone = nil, nil
	return out
}

// Slower returns the paths that have become slower since the last call.
func (e *Engine) Slower() []Slower {
	out := e.slower
	e.slower = nil
	return out
}

// forgetGone forgets the peers that are not in now any more.
func (e *Engine) forgetGone(was, now lease.Set) {
	if sorted.Same(was, now) {
		return
	}
	for c := range sorted.Diff(was, now) {
		if c.Old == nil || c.New != nil {
			continue
		}
		for _, s := range c.Old.Subnets {
			if p := e.pairs[s]; p != nil && lease.CompareSubnets(p.subnets, c.Old.Subnets) == 0 {
				e.forget(s)
			}
		}
	}
}

func (e *Engine) forget(subnet netip.Prefix) {
	p := e.pairs[subnet]
	if p == nil {
		return
	}
	delete(e.pairs, subnet)
	for _, one := range p.paths {
		e.retire(one)
	}
}

func (e *Engine) forgetAll() {
	for subnet := range e.pairs {
		e.forget(subnet)
	}
	clear(e.flying)
	e.timers, e.sums = nil, checksums{}
}
