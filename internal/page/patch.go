package page

import (
	"bytes"
	"encoding/json"
	"slices"
)

// patch is what differs from one Fabric to the next.
type patch struct {
	Head      *Head    `json:"head,omitempty"`
	Hosts     []Host   `json:"hosts,omitempty"` // that are new or have changed
	Links     []Link   `json:"links,omitempty"`
	GoneHosts []string `json:"goneHosts,omitempty"`
	GoneLinks []string `json:"goneLinks,omitempty"`
}

func (p patch) empty() bool {
	return p.Head == nil && len(p.Hosts) == 0 && len(p.Links) == 0 && len(p.GoneHosts) == 0 && len(p.GoneLinks) == 0
}

// diff returns what turns from into to.
func diff(from, to Fabric) patch {
	var p patch
	if !sameJSON(from.Head, to.Head) {
		p.Head = &to.Head
	}
	p.Hosts, p.GoneHosts = changed(from.Hosts, to.Hosts, func(h Host) string { return h.ID }, func(a, b Host) bool { return sameJSON(a, b) })
	p.Links, p.GoneLinks = changed(from.Links, to.Links, func(l Link) string { return l.ID }, sameLink)
	return p
}

// sameLink is on the way of each link every second; the rest is rare.
func sameLink(a, b Link) bool {
	sameTimes := a.Since.Equal(b.Since) && a.Last.Equal(b.Last)
	a.Since, a.Last = b.Since, b.Last
	return sameTimes && a == b
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// changed compares two lists that are sorted by id.
func changed[E any](from, to []E, id func(E) string, same func(a, b E) bool) (news []E, gone []string) {
	old := make(map[string]int, len(from))
	for i, e := range from {
		old[id(e)] = i
	}
	for _, e := range to {
		i, was := old[id(e)]
		if !was || !same(from[i], e) {
			news = append(news, e)
		}
		delete(old, id(e))
	}
	for one := range old {
		gone = append(gone, one)
	}
	slices.Sort(gone)
	return news, gone
}
