package mem

import (
	"bytes"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store/view"
)

// drain keeps what is left of a former lease for as long as that would have
// lived. It wants mu held.
func (s *Store) drain(r lease.Draining, value []byte, claim lease.Claim) {
	old, name := lease.Key(r.Of.Subnets), lease.Key(r.Subnets)
	var left time.Duration
	if e := s.keys[view.Subnets+old]; !e.ends.IsZero() {
		left = time.Until(e.ends)
	}
	if name != old {
		s.remove(old)
	}
	if e := s.keys[view.Subnets+name]; e == nil || !bytes.Equal(e.value, value) {
		s.put(view.Subnets+name, value, left)
	}
	s.owners[name] = claim.Owner
	if previous := claim.FormerOf(r); len(previous) > 0 {
		s.put(view.Former+name, []byte(netconf.FormatPrevious(previous)), left)
	}
}
