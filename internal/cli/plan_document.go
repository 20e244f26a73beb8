package cli

import (
	"strings"

	"github.com/weft-net/weft/internal/netstate"
)

// planDocument is the desired state for programs.
type planDocument struct {
	header
	Objects []planObject `json:"objects"` // in the order of the text
}

// planObject is one object of the kernel.
type planObject struct {
	Kind string `json:"kind"` // the word that begins its line
	Text string `json:"text"` // the rest of its line
}

// diffDocument is what differs between the kernel and the plan.
type diffDocument struct {
	header
	Changes []planChange `json:"changes"` // in the order in which the agent would apply them
}

// planChange is one change that makes the kernel equal to the plan.
type planChange struct {
	Change  string `json:"change"` // "add", "replace", "remove" or "rename"
	Kind    string `json:"kind"`
	Text    string `json:"text"`              // the object that should be there, or that should go
	Current string `json:"current,omitempty"` // the object that is replaced or renamed
}

func planOf(s *netstate.State) planDocument {
	doc := planDocument{header: newHeader("Plan")}
	for _, r := range s.Rows() {
		doc.Objects = append(doc.Objects, planObject{netstate.KindOf(r), objectText(r)})
	}
	return doc
}

func diffOf(ops []netstate.Op) diffDocument {
	return diffDocument{header: newHeader("PlanDiff"), Changes: changesOf(ops)}
}

func changesOf(ops []netstate.Op) (changes []planChange) {
	for _, op := range ops {
		c := planChange{Change: op.Verb.Name(), Kind: netstate.KindOf(op.Row), Text: objectText(op.Row)}
		if op.Verb != netstate.Remove && op.Have != nil {
			c.Current = objectText(op.Have)
		}
		changes = append(changes, c)
	}
	return changes
}

// objectText is the line of r without the kind.
func objectText(r netstate.Row) string {
	return strings.TrimPrefix(r.String(), netstate.KindOf(r)+" ")
}
