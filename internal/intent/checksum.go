package intent

import (
	"slices"
	"time"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/plan"
)

// checksums takes in which checksums a self-test has found wrong. What was found
// stays true while the kernel and the uplink are the same: once it is worked
// around, no test can show it any more.
func (t *step) checksums(found []plan.Checksum) {
	s := t.state
	for _, c := range found {
		same := func(o plan.Checksum) bool {
			return o.Family == c.Family && o.Sender == c.Sender
		}
		if slices.ContainsFunc(s.wrong, same) {
			continue
		}
		c.Since = t.now.UTC().Truncate(time.Second)
		s.wrong = append(slices.Clip(s.wrong), c)
	}
}

// holding returns those of found that say something of a host.
func holding(found []plan.Checksum, facts host.Facts) []plan.Checksum {
	return slices.DeleteFunc(slices.Clone(found), func(c plan.Checksum) bool { return !c.Holds(facts) })
}
