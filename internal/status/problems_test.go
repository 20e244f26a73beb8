package status

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/intent"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/reconcile"
)

// troubled returns a board of an agent that is ready, and what it reports.
func troubled(t *testing.T) (*Board, map[string]string) {
	told := map[string]string{}
	b := NewBoard(Options{Trouble: func(part string, err error) {
		delete(told, part)
		if err != nil {
			told[part] = err.Error()
		}
	}})
	b.Step(intent.View{Input: &plan.Input{}})
	b.Store(nil)
	b.Lease(true, nil)
	b.Pass(reconcile.Pass{Generation: 1})
	if s := b.Status(); s.State != api.StateReady || len(told) != 0 {
		t.Fatal(s.State, s.Problems, told)
	}
	return b, told
}

func TestProblemsMakeTheStateAndAreReported(t *testing.T) {
	err := errors.New
	for name, tc := range map[string]struct {
		do    func(b *Board)
		undo  func(b *Board)
		state api.State
		told  map[string]string
	}{
		"of the plan": {
			do: func(b *Board) {
				b.Step(intent.View{Input: &plan.Input{}, Problems: []plan.Problem{
					{Subject: "172.8.0.0/24", Err: err("is outside"), Peer: true},
					{Subject: "172.9.0.0/24", Err: err("vacant"), Peer: true, Note: true},
					{Subject: "172.9.1.0/24", Err: err("is outside, too"), Peer: true},
					{Subject: "firewall", Err: err("stops packets")},
				}})
			},
			undo:  func(b *Board) { b.Step(intent.View{Input: &plan.Input{}}) },
			state: api.StateDegraded,
			told: map[string]string{
				"peer":     "172.8.0.0/24: is outside (and 1 more; 'weft status' lists them)",
				"firewall": "stops packets",
			},
		},
		"a note": {
			do: func(b *Board) {
				b.Step(intent.View{Input: &plan.Input{}, Problems: []plan.Problem{{Subject: "peer", Err: err("vacant"), Note: true}}})
			},
			undo:  func(b *Board) { b.Step(intent.View{Input: &plan.Input{}}) },
			state: api.StateReady, told: map[string]string{},
		},
		"a foreign route": {
			do: func(b *Board) {
				b.Pass(reconcile.Pass{Generation: 1, Overtaken: []netstate.Route{route("172.7.22.2/32")}})
			},
			undo:  func(b *Board) { b.Pass(reconcile.Pass{Generation: 1}) },
			state: api.StateDegraded,
			told:  map[string]string{"foreign route": foreignRoute(route("172.7.22.2/32"))},
		},
		"an unreadable lease": {
			do: func(b *Board) {
				b.Step(intent.View{Input: &plan.Input{}, Bad: []intent.Undecodable{{Key: "subnets/172.7.1.0-24", Err: err("rubbish")}}})
			},
			undo:  func(b *Board) { b.Step(intent.View{Input: &plan.Input{}}) },
			state: api.StateDegraded, told: map[string]string{},
		},
		"an outage": {
			do: func(b *Board) { b.Store(err("refused")) }, undo: func(b *Board) { b.Store(nil) },
			state: api.StateDegraded, told: map[string]string{},
		},
		"a fault of a part": {
			do:    func(b *Board) { b.SubnetFile(err("no space")) },
			undo:  func(b *Board) { b.SubnetFile(nil) },
			state: api.StateNotReady, told: map[string]string{"subnet file": "no space"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, told := troubled(t)
			tc.do(b)
			if s := b.Status(); s.State != tc.state || s.Ready != (tc.state != api.StateNotReady) || (b.Ready() == nil) != s.Ready {
				t.Errorf("state %s, ready %v, problems %v", s.State, s.Ready, s.Problems)
			}
			if diff := cmp.Diff(tc.told, told); diff != "" {
				t.Error("told (-want +got)\n", diff)
			}
			tc.undo(b)
			if s := b.Status(); s.State != api.StateReady || len(told) != 0 {
				t.Error("afterwards:", s.State, s.Problems, told)
			}
		})
	}
}

// A list of problems that is the same costs nothing but its comparison.
func TestTheSameProblemsAreReportedOnce(t *testing.T) {
	n := 0
	b := NewBoard(Options{Trouble: func(string, error) { n++ }})
	problems := make([]plan.Problem, 1000)
	for i := range problems {
		problems[i] = plan.Problem{Subject: fmt.Sprint("host part ", i), Err: errors.New("wrong")}
	}
	for range 3 {
		b.Step(intent.View{Problems: problems})
	}
	if n != len(problems) {
		t.Errorf("%d calls for %d problems", n, len(problems))
	}
}
