package agent

import (
	"slices"
	"time"

	"github.com/weft-net/weft/internal/lease"
)

// DefaultLinger is how long a lease that has vanished from a store is gone by
// where hosts register themselves. A host whose lease was deleted by mistake
// has it again within a fraction of that, and nobody's packets to it are lost
// meanwhile; one that is gone for good is forgotten soon enough.
const DefaultLinger = 3 * time.Second

// vanished are leases that the store has no more, by lease.Key, and how long
// they are still gone by.
type vanished map[string]time.Time

// linger returns fresh, a snapshot's leases, with those of last that have
// vanished less than d ago, and after what time to look again; 0: not by
// itself. A lease is not kept against what fresh says of its subnets or of its
// host. Both are sorted, and so is the result.
func (v vanished) linger(last, fresh []lease.Lease, d time.Duration, now time.Time) (merged []lease.Lease, left vanished, wait time.Duration) {
	left = vanished{}
	if len(v) == 0 && len(last) > 0 && len(last) == len(fresh) && &last[0] == &fresh[0] {
		return fresh, left, 0
	}
	var kept []lease.Lease
	for _, l := range missing(last, fresh) {
		until, known := v[lease.Key(l.Subnets)]
		if !known {
			until = now.Add(d)
		}
		if !now.Before(until) || slices.ContainsFunc(fresh, func(f lease.Lease) bool { return rivals(f, l) }) {
			continue
		}
		left[lease.Key(l.Subnets)] = until
		kept = append(kept, l)
		if wait == 0 || until.Sub(now) < wait {
			wait = until.Sub(now)
		}
	}
	if len(kept) == 0 {
		return fresh, left, 0
	}
	merged = slices.Concat(fresh, kept)
	slices.SortFunc(merged, bySubnets)
	return merged, left, wait
}

func bySubnets(a, b lease.Lease) int { return a.Compare(b) }

// missing returns the leases of last whose subnets no lease of fresh has. Both
// are sorted.
func missing(last, fresh []lease.Lease) []lease.Lease {
	var out []lease.Lease
	for i, j := 0, 0; i < len(last); i++ {
		for j < len(fresh) && bySubnets(fresh[j], last[i]) < 0 {
			j++
		}
		if j == len(fresh) || bySubnets(fresh[j], last[i]) != 0 {
			out = append(out, last[i])
		}
	}
	return out
}

// remember brings the leases that the plan goes by up to the newest snapshot,
// and returns after what time to look again.
func (s *steerer) remember() time.Duration {
	leases, left, wait := s.vanished.linger(s.memory.Snapshot.Leases.Slice(), s.fresh.Slice(), s.opts.Linger, time.Now())
	if len(left) != len(s.vanished) {
		s.dirty = true
	}
	s.memory.Snapshot.Leases, s.vanished = lease.SetOf(leases...), left
	return wait
}
