package intent

import (
	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/plan"
)

// maxTold bounds how many problems one step logs: a peer can have one each.
const maxTold = 10

// tellProblems logs which problems of the plan are new, and which are over.
// Both lists are sorted by the planner, which makes a new one only when a
// problem comes, goes or changes.
func (t *step) tellProblems(now []plan.Problem) {
	before := t.state.problems
	if len(before) == len(now) && (len(now) == 0 || &before[0] == &now[0]) {
		return
	}
	text := func(p plan.Problem) string { return p.Error() }
	subject := func(p plan.Problem) string { return p.Subject }
	t.tellOf(event.Problem, "problem", severityOf, newOf(now, before, text))
	t.tellOf(event.Solved, "problem solved", func(plan.Problem) Severity { return Info }, newOf(before, now, subject))
}

func (t *step) tellOf(kind event.Kind, text string, severity func(plan.Problem) Severity, problems []plan.Problem) {
	for i, p := range problems {
		if i == maxTold {
			t.say(severity(p), kind, text+"; 'weft status' lists all", "more", len(problems)-i)
			return
		}
		t.say(severity(p), kind, text, "subject", p.Subject, "error", p.Err)
	}
}

func severityOf(p plan.Problem) Severity {
	if p.Note {
		return Info
	}
	return Warn
}

// newOf returns the problems that are not among known, by what key returns.
func newOf(problems, known []plan.Problem, key func(plan.Problem) string) []plan.Problem {
	if len(problems) == 0 {
		return nil
	}
	old := make(map[string]bool, len(known))
	for _, p := range known {
		old[key(p)] = true
	}
	var out []plan.Problem
	for _, p := range problems {
		if !old[key(p)] {
			out = append(out, p)
		}
	}
	return out
}
