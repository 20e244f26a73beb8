package explain

import (
	"fmt"
	"time"

	"github.com/weft-net/weft/internal/netdump"
)

// Sent is what became of a packet that was sent.
type Sent struct {
	Steps    []netdump.Step // what rules did with it and with its answer, as the kernel tells
	Answered bool
	Took     time.Duration // until the answer
}

// Trace is the way that a packet took which was sent, by the kernel's own word.
func Trace(fw netdump.Firewall, s Sent) (out []Station) {
	for _, step := range s.Steps {
		h, hook := found(fw, step)
		one := Station{Name: fmt.Sprintf("%s > %s", step.Src, step.Dst), Object: h.text(), State: OK, Note: string(step.Does)}
		if hook != "" {
			one.Note = hook + ": " + one.Note
		}
		if step.Does.Stops() {
			one.State, one.Remedy = Broken, stopRemedy(h)
			return append(out, one)
		}
		out = append(out, one)
	}
	if !s.Answered {
		return append(out, Station{Name: "answer", Object: "none", State: Unknown,
			Note: "no rule of this host stopped the packet or its answer: the other side does not answer, or one of them is lost on the way there"})
	}
	return append(out, Station{Name: "answer", Object: "received after " + s.Took.Round(10*time.Microsecond).String(), State: OK})
}

// found returns the rule of a step, and the hook of its chain.
func found(fw netdump.Firewall, s netdump.Step) (hit, string) {
	h := hit{chain: netdump.Chain{Family: s.Family, Table: s.Table, Name: s.Chain}, does: netdump.Branch{Does: s.Does}, sure: true}
	for _, c := range fw.Chains {
		if c.Place() != h.chain.Place() {
			continue
		}
		h.chain = c
		for _, r := range c.Rules {
			if !s.Policy && r.Handle == s.Handle {
				h.rule = r
			}
		}
	}
	if !s.Policy && h.rule.Text == "" {
		h.rule = netdump.Rule{Handle: s.Handle, Text: fmt.Sprintf("rule with handle %d", s.Handle)}
	}
	return h, h.chain.Hook
}
