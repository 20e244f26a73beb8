package status

import (
	"errors"
	"fmt"
	"iter"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
)

// finding is a problem whose text is not made yet.
type finding struct {
	severity api.Severity
	subject  string
	err      error
}

// findings are all there is for an operator to know: what the plan works
// around, faults of parts, what others do to objects, unreadable keys, and a
// store that does not answer. It wants b.mu held while it is read.
func (b *Board) findings() iter.Seq[finding] {
	return func(yield func(finding) bool) {
		for _, p := range b.view.Problems {
			if !yield(finding{severityOf(p.Note), p.Subject, p.Err}) {
				return
			}
		}
		for _, part := range parts {
			if err := b.faults[part]; err != nil && !yield(finding{api.SeverityError, part, err}) {
				return
			}
		}
		for _, part := range lesser {
			if err := b.faults[part]; err != nil && !yield(finding{api.SeverityWarning, part, err}) {
				return
			}
		}
		for _, p := range aboutObjects(b.last.Contested, b.last.Overtaken) {
			if !yield(finding{api.SeverityWarning, p.Subject, p.Err}) {
				return
			}
		}
		for _, e := range b.view.Bad {
			if !yield(finding{severityOf(e.Note), e.Key, e.Err}) {
				return
			}
		}
		if !b.up && b.upErr != nil {
			yield(finding{api.SeverityWarning, partStore, b.upErr})
		}
	}
}

// problems returns the findings with their texts.
func (b *Board) problems() (all []api.Problem) {
	for f := range b.findings() {
		all = append(all, api.Problem{Subject: f.subject, Message: f.err.Error(), Severity: f.severity})
	}
	return all
}

// partStore is the subject of an outage of the store, which stops no traffic.
const partStore = "store"

func severityOf(note bool) api.Severity {
	if note {
		return api.SeverityNote
	}
	return api.SeverityWarning
}

// aboutObjects returns the problems that a pass of the loop reports besides
// what has failed.
func aboutObjects[C error](contested []C, overtaken []netstate.Route) []plan.Problem {
	var out []plan.Problem
	for _, c := range contested {
		out = append(out, plan.Problem{Subject: "contested object", Err: c})
	}
	for _, r := range overtaken {
		out = append(out, plan.Problem{Subject: "foreign route", Err: errors.New(foreignRoute(r))})
	}
	return out
}

// foreignRoute says what a foreign route does that weft must not remove.
func foreignRoute(r netstate.Route) string {
	remove := "ip route del " + r.Dst.String()
	if r.Dst.Addr().Is6() {
		remove = "ip -6 route del " + r.Dst.String()
	}
	return fmt.Sprintf("%q is more specific than the route to a peer and overrides it; if that is not intended, remove it with: %s", r, remove)
}

// stateOf returns the state that the problems of an agent amount to.
func stateOf(ready error, problems []api.Problem) api.State {
	if ready != nil {
		return api.StateNotReady
	}
	for _, p := range problems {
		if p.Severity == api.SeverityWarning {
			return api.StateDegraded
		}
	}
	return api.StateReady
}

// report hands the problems that are not faults of parts on to Options.Trouble,
// by subject; peers, of which there can be many, are one. Unreadable keys and
// outages are left out: the store itself knows of them. It wants b.mu held.
func (b *Board) report() {
	if b.opts.Trouble == nil {
		return
	}
	now := bySubject(append(b.view.Problems[:len(b.view.Problems):len(b.view.Problems)], aboutObjects(b.last.Contested, b.last.Overtaken)...))
	for subject := range b.reported {
		if now[subject] == nil {
			b.opts.Trouble(subject, nil)
		}
	}
	for subject, err := range now {
		b.opts.Trouble(subject, err)
	}
	b.reported = now
}

// bySubject returns an error for each subject that has problems: the first
// one's, and how many more there are. Notes are left out.
func bySubject(problems []plan.Problem) map[string]error {
	const peers = "peer"
	first, more := map[string]error{}, map[string]int{}
	for _, p := range problems {
		subject, err := p.Subject, p.Err
		if p.Peer {
			subject, err = peers, p
		}
		switch {
		case p.Note:
		case first[subject] == nil:
			first[subject] = err
		default:
			more[subject]++
		}
	}
	for subject, n := range more {
		first[subject] = fmt.Errorf("%w (and %d more; 'weft status' lists them)", first[subject], n)
	}
	return first
}

// sameProblems reports whether two lists are the same one: the planner makes a
// new one when a problem comes, goes or changes.
func sameProblems(a, b []plan.Problem) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
