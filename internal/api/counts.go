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
}

// Clone returns a copy that shares nothing with c.
func (c Counts) Clone() Counts {
	c.Ops = maps.Clone(c.Ops)
	return c
}

// OpLabel names the sort of change that o is: "add route", "remove neigh".
func OpLabel(o netstate.Op) string { return o.Verb.Name() + " " + netstate.KindOf(o.Row) }
