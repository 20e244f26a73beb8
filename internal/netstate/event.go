package netstate

// Event is the news that something on the host changed. It is a doorbell:
// its row serves only to see that nothing is new, never as the truth.
type Event struct {
	Row   Row    // what was added, changed or removed; nil: look at everything again
	Gone  bool   // Row was removed
	Facts bool   // addresses, links, default routes or on-link routes changed: the host's facts may be others now
	Only  bool   // Facts alone: no object is in doubt because of it
	By    string // the program that did it, where the kernel tells: "nft[4711]"
	PID   uint32 // netlink port id of who did it, mostly its process id; 0: the kernel, or unknown
}

// News reports whether e differs from what have says already. An echo of
// weft's own change is no news.
func (s *State) News(e Event) bool {
	if e.Row == nil {
		return true
	}
	known := s.Find(e.Row)
	if e.Gone {
		return known != nil
	}
	if want, ok := known.(Sysctl); ok {
		return !want.Allows(e.Row.(Sysctl).Value)
	}
	return known != e.Row
}
