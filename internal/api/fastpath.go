package api

// FastPath is what carries packets between pods past the kernel's own path.
type FastPath struct {
	Mode string            `json:"mode"`           // "all": every flow; "established": those that connection tracking has seen in both directions
	Fast uint64            `json:"fast"`           // packets that it has carried
	Slow map[string]uint64 `json:"slow,omitempty"` // packets between pods that took the kernel's path, by why
}

// Share is the part of all packets that it has carried, from 0 to 1; false if
// there were none.
func (f FastPath) Share() (share float64, ok bool) {
	all := f.Fast
	for _, n := range f.Slow {
		all += n
	}
	return float64(f.Fast) / float64(max(all, 1)), all > 0
}
