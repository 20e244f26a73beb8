package api

import (
	"maps"

	"github.com/weft-net/weft/internal/netstate"
)

// Counts is what has happened since the agent started.
type Counts struct {
	Passes   int            `json:"passes"`
	Failures int            `json:"failures"` // rows that could not be put in place, each try counted
	Ops      map[string]int `json:"ops"`      // changes carried out, by OpLabel: "add route"
	Repairs  map[string]int `json:"repairs"`  // those of them that put right what had stood before
	Drift    map[string]int `json:"drift"`    // what others did to rows, as the kernel told, by DriftLabel: "removed route"
}

// Clone returns a copy that shares nothing with c.
func (c Counts) Clone() Counts {
	c.Ops, c.Repairs, c.Drift = maps.Clone(c.Ops), maps.Clone(c.Repairs), maps.Clone(c.Drift)
	return c
}

// NewCounts returns counts of nothing.
func NewCounts() Counts {
	return Counts{Ops: map[string]int{}, Repairs: map[string]int{}, Drift: map[string]int{}}
}

// OpLabel names the sort of change that o is: "add route", "remove neigh".
func OpLabel(o netstate.Op) string { return o.Verb.Name() + " " + netstate.KindOf(o.Row) }

// DriftLabel names what somebody else did to a row: "removed route", "changed
// link".
func DriftLabel(e netstate.Event) string {
	verb := "changed"
	if e.Gone {
		verb = "removed"
	}
	return verb + " " + netstate.KindOf(e.Row)
}
