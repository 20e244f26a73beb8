package intent

import (
	"fmt"
	"strings"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
)

// String is the state in some lines, for failing tests and bug reports.
func (s State) String() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("store      revision %d, %d leases, going by %d, heard %t, config lost %t", s.store.snapshot.Revision,
		s.store.snapshot.Leases.Len(), s.store.leases.Len(), s.heard, s.store.lost)
	for k := range s.store.kept.All() {
		p("kept       %s until %s", lease.FormatSubnets(k.Subnets), k.until)
	}
	p("config     %s", s.config.doc)
	p("previous   %s", netconf.FormatPrevious(s.previous))
	if s.facts != nil {
		p("uplink     %s %v, announcing %v", s.facts.Uplink.Name, s.facts.Uplink.Addrs, s.facts.Public)
	}
	if s.locks != nil {
		p("locks      %v %v %s", s.locks.Networks, s.locks.Devices, s.locks.Table)
	}
	for i, a := range s.history {
		p("announced  %s%s, idle since %s", a.backend, flag(i == 0, ", current", flag(a.silent, ", not sent by", "")), a.idle)
	}
	if s.self != nil {
		p("lease      %s public %v", lease.FormatSubnets(s.self.Subnets), s.self.Public)
	}
	p("draining   %v, had %v", s.draining, s.had)
	p("generation %d, receiving since %d, received %d, converged %d, keeping stale %t", s.generation, s.receiving,
		s.pass.Received, s.pass.Converged, s.keepStale)
	p("owns       %v %v %v", s.serves.Networks, s.serves.Links, s.serves.Tables)
	p("faults     %+v", s.faults)
	for _, problem := range s.problems {
		p("%-10s %s", flag(problem.Note, "note", "problem"), problem)
	}
	if s.desired != nil {
		b.WriteString(s.desired.String())
	}
	return b.String()
}
