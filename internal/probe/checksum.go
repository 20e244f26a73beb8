package probe

import (
	"net/netip"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
)

const (
	trialPeers   = 3                // whom the first trials of a tunnel go to; later ones go to one
	trialAgain   = 10 * time.Minute // between trials
	trialSoon    = time.Minute      // before they are tried again if no peer could tell
	trialSuspect = 5 * time.Second  // at first, before they are tried again if only complete ones arrived: it may be chance, or worked around by then
	trialSearch  = 64               // peers among whom one is looked for
)

// checksums is what trials have shown, by family.
type checksums struct {
	families map[netconf.Family]*familyChecksums
	flying   [TrialIDs]*trialFlight
	last     uint16 // id
	news     bool
}

type trialFlight struct {
	run  *trialRun
	tcp  bool
	kind *struct{ sent, refused uint8 }
}

type familyChecksums struct {
	of    plan.Sender
	state ChecksumState
	found plan.Checksum
	tried time.Duration // when that was shown; 0: never
	ended time.Duration // of the last trials, whatever they have shown
	due   time.Duration
	pause time.Duration // after the next trials of which only complete ones arrive
	runs  []*trialRun
}

// passed has trials begin soon, since a peer answers through a tunnel, for the first
// time or again.
func (e *Engine) passed(p *path, at time.Duration) {
	if p.target.Kind != plan.Tunnelled {
		return
	}
	f := e.checksumsOf(p.pair.family)
	f.due = min(f.due, max(at+time.Second, f.ended+trialSoon))
}

// checksumsOf returns what is known in a family, which begins anew when the uplink
// is another.
func (e *Engine) checksumsOf(f netconf.Family) *familyChecksums {
	if e.sums.families == nil {
		e.sums.families = map[netconf.Family]*familyChecksums{}
	}
	of := plan.SenderOf(e.view.Input.Host)
	known := e.sums.families[f]
	if known == nil || known.of != of {
		e.sums.news = e.sums.news || known != nil && known.state == Wrong
		known = &familyChecksums{of: of, due: forever, ended: -trialSoon, pause: trialSuspect}
		e.sums.families[f] = known
	}
	return known
}

// Trials returns the trials to be sent now.
func (e *Engine) Trials(now time.Time) (out []Trial) {
	at := e.at(now)
	if !e.enabled() {
		return nil
	}
	for _, family := range e.families() {
		f := e.checksumsOf(family)
		if len(f.runs) == 0 && f.due <= at {
			e.begin(f, family, at)
		}
		for _, r := range f.runs {
			out = e.tryOn(r, at, out)
		}
		e.conclude(f, family, at)
	}
	return out
}

// families are those of which something is known, in order.
func (e *Engine) families() []netconf.Family {
	return slices.DeleteFunc([]netconf.Family{netconf.V4, netconf.V6}, func(f netconf.Family) bool { return e.sums.families[f] == nil })
}

// nextTrial returns when Trials has something to do.
func (e *Engine) nextTrial() time.Duration {
	next := forever
	for _, f := range e.sums.families {
		next = min(next, f.next())
	}
	return next
}

// next returns when there is something to do: the next trial, or the end of the
// wait for refusals.
func (f *familyChecksums) next() time.Duration {
	if len(f.runs) == 0 {
		return f.due
	}
	next, end := forever, time.Duration(0)
	for _, r := range f.runs {
		if r.ended {
			end = max(end, r.next)
		} else {
			next = min(next, r.next)
		}
	}
	if next == forever {
		return end
	}
	return next
}

// begin chooses the peers whom trials go to, of those that answer through the
// tunnel that is in use to them.
func (e *Engine) begin(f *familyChecksums, family netconf.Family, at time.Duration) {
	most := trialPeers
	if f.state != Untried {
		most = 1
	}
	f.due = at + trialSoon
	looked := 0
	for _, p := range e.pairs { // in no order
		if looked++; looked > trialSearch || len(f.runs) == most {
			break
		}
		if one := p.find(plan.Tunnelled); one != nil && p.family == family && one.steady() {
			f.runs = append(f.runs, &trialRun{path: one, next: at})
		}
	}
}

// steady reports whether packets travel by the path and nothing is missing.
func (p *path) steady() bool {
	return p.target.InUse && p.verdict == plan.Passes && p.judge.misses == 0
}

// tryOn sends the next trial of a peer, if it is time.
func (e *Engine) tryOn(r *trialRun, at time.Duration, out []Trial) []Trial {
	if r.ended || r.next > at {
		return out
	}
	if !e.knows(r.path) || !r.path.target.InUse {
		r.ended, r.next = true, at
		return out
	}
	t, more := r.following()
	switch {
	case !more:
		r.ended, r.next = true, at+trialPatience
		if r.udp.sound() && r.tcp.sound() {
			r.next = at
		}
		return out
	case !e.bucket.take(2): // probes come first
		r.next = at + time.Second/rate
		return out
	}
	e.sums.last = (e.sums.last + 1) % TrialIDs
	t.ID = e.sums.last
	e.sums.flying[t.ID] = &trialFlight{r, t.TCP, r.tally(t.TCP).of(t.Offload)}
	r.sent(t, at)
	return append(out, t)
}

// Unsent takes back a trial that could not be sent.
func (e *Engine) Unsent(id uint16) {
	if f := e.sums.flying[id]; f != nil {
		f.kind.sent--
		e.sums.flying[id] = nil
	}
}

// Refused takes in that a trial was refused, by a host with the address from.
func (e *Engine) Refused(id uint16, tcp bool, from netip.Addr) {
	if int(id) >= len(e.sums.flying) {
		return
	}
	f := e.sums.flying[id]
	if f == nil || f.tcp != tcp || !(&flight{path: f.run.path, target: f.run.path.target}).answeredBy(Answer{From: from}) {
		return
	}
	e.sums.flying[id] = nil
	f.kind.refused++
}

// conclude draws the conclusion once all runs of a family have ended.
func (e *Engine) conclude(f *familyChecksums, family netconf.Family, at time.Duration) {
	if len(f.runs) == 0 || slices.ContainsFunc(f.runs, func(r *trialRun) bool { return !r.ended || r.next > at }) {
		return
	}
	found, sound, suspect := plan.Checksum{}, false, false
	for _, r := range f.runs {
		steady := e.knows(r.path) && r.path.steady()
		if steady && (r.udp.wrong() || r.tcp.wrong()) {
			found.Peer, _ = r.path.pair.subnet()
			found.UDP, found.TCP = found.UDP || r.udp.wrong(), found.TCP || r.tcp.wrong()
		}
		sound = sound || r.udp.sound() || r.tcp.sound()
		suspect = suspect || r.udp.suspect() || r.tcp.suspect()
	}
	f.runs, f.ended, f.due = nil, at, at+time.Duration((0.75+e.random()/2)*float64(trialAgain))
	switch {
	case found.Peer.IsValid():
		e.sums.news = e.sums.news || f.state != Wrong
		found.Family, found.Sender = family, f.of
		f.state, f.found, f.tried = Wrong, found, at
	case sound:
		f.state, f.tried = Sound, at
	}
	if suspect {
		f.due = min(f.due, at+f.pause)
		f.pause = min(2*f.pause, trialAgain)
	} else {
		f.pause = trialSuspect
	}
}

// subnet returns the subnet that the pair is about.
func (p *pair) subnet() (netip.Prefix, bool) {
	i := slices.IndexFunc(p.subnets, func(s netip.Prefix) bool { return netconf.FamilyOf(s.Addr()) == p.family })
	if i < 0 {
		return netip.Prefix{}, false
	}
	return p.subnets[i], true
}

// Checksums returns the checksums that were found wrong since the start, and
// whether there is news since the last call.
func (e *Engine) Checksums() (found []plan.Checksum, news bool) {
	for _, family := range e.families() {
		if f := e.sums.families[family]; f.found.Peer.IsValid() {
			found = append(found, f.found)
		}
	}
	news, e.sums.news = e.sums.news, false
	return found, news
}

// ChecksumReports returns what trials have shown of each family of which
// something could be found out.
func (e *Engine) ChecksumReports() (out []ChecksumReport) {
	for _, family := range e.families() {
		f := e.sums.families[family]
		r := ChecksumReport{Family: family, State: f.state, Found: f.found}
		if f.tried > 0 {
			r.Tried = e.start.Add(f.tried)
		}
		out = append(out, r)
	}
	return out
}
