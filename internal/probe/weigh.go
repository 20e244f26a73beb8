package probe

import (
	"time"

	"github.com/weft-net/weft/internal/plan"
)

// weigh decides which paths of a pair are lost, after an answer or a miss by one
// of them. Packets would go by what passes then, so a path that has failed is lost
// only when another one was asked since and has answered, or has failed as well:
// of a host that is dead no path is left for the other one. A path that is in doubt
// has the others asked at once, so that this costs no time.
func (e *Engine) weigh(p *pair, at time.Duration) {
	if len(p.paths) > 1 {
		e.askBeside(p, at)
	}
	stands := p.standing()
	for _, x := range p.paths {
		switch {
		case !x.hasFailed():
		case len(stands) > 0 && !anyProven(stands, x.failing) && x.judge.misses < keptFor:
		default:
			for _, o := range stands {
				if o.proven < x.failing { // nothing was heard of it for so long
					e.forgetProof(o, at)
				}
			}
			x.lose(at)
			x.mark(at)
			e.changed(x, plan.Passes, at)
		}
	}
}

// standing returns the paths that pass as far as is known.
func (p *pair) standing() (out []*path) {
	for _, o := range p.paths {
		if o.verdict == plan.Passes && !o.hasFailed() {
			out = append(out, o)
		}
	}
	return out
}

func anyProven(paths []*path, since time.Duration) bool {
	for _, o := range paths {
		if o.proven >= since {
			return true
		}
	}
	return false
}

// askBeside asks the paths beside one that does not answer, unless they have
// answered since.
func (e *Engine) askBeside(p *pair, at time.Duration) {
	for _, x := range p.paths {
		if x.verdict != plan.Passes || x.judge.misses == 0 {
			continue
		}
		for _, o := range p.paths {
			if o != x && o.verdict == plan.Passes && o.judge.misses == 0 && o.proven < x.failing && !o.small {
				e.again(o, false, at)
			}
		}
	}
}

// forgetProof takes back that a path passes: what was known of it is too old to
// go by.
func (e *Engine) forgetProof(o *path, at time.Duration) {
	o.judge = judge{deadUntil: o.deadUntil}
	e.changed(o, plan.Passes, at)
}
