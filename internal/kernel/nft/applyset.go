package nft

import "github.com/weft-net/weft/internal/netstate"

// setKey names a set.
type setKey struct{ table, set string }

// interval reports whether the set of members has intervals: as they tell, as the ops
// make the set, or else as the kernel says.
func (w *writer) interval(members []netstate.Element) bool {
	for _, m := range members {
		if !m.Prefix.IsSingleIP() {
			return true
		}
	}
	if w.intervals == nil {
		w.intervals = map[setKey]bool{}
		for _, op := range w.ops {
			if s, ok := op.Row.(netstate.Set); ok && op.Verb != netstate.Remove {
				w.intervals[setKey{s.Table, s.Name}] = s.Interval
			}
		}
	}
	key := setKey{members[0].Table, members[0].Set}
	if _, known := w.intervals[key]; !known {
		w.readIntervals(key)
	}
	return w.intervals[key]
}

// readIntervals asks the kernel about the sets of key's table. What is not
// there the kernel refuses when it gets the elements.
func (w *writer) readIntervals(key setKey) {
	w.intervals[key] = false
	sets, err := w.Conn.sets(key.table)
	if err != nil {
		return
	}
	for _, s := range sets {
		k := setKey{s.Table, s.Name}
		if _, known := w.intervals[k]; !known || k == key {
			w.intervals[k] = s.Interval
		}
	}
}
