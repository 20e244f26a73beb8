package api

import (
	"maps"

	"github.com/weft-net/weft/internal/netstate"
)

// Counts is what has happened since the agent started.
type Counts struct {
	Passes   int            `json:"passes"`
	Failures int            `json:"failures"` // objects that could not be written, each attempt counted
	Ops      map[string]int `json:"ops"`      // changes carried out, by OpLabel: "add route"
	Repairs  map[string]int `json:"repairs"`  // those of them that restored an object
	Drift    map[string]int `json:"drift"`    // what other processes did to objects, as the kernel reported, by DriftLabel: "removed route"
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

// DriftLabel names what another process did to an object: "removed route", "changed
// link".
func DriftLabel(e netstate.Event) string {
	verb := "changed"
	if e.Gone {
		verb = "removed"
	}
	return verb + " " + netstate.KindOf(e.Row)
}
