package view

import (
	"strings"

	"github.com/weft-net/weft/internal/lease"
)

// Hosts is weft's own: followed by the lease.Key of a lease, it holds what the
// lease's host says of itself (lease.Host).
const Hosts = "weft/hosts/"

// putHost takes in what a host says of itself. What cannot be read says
// nothing.
func (v *View) putHost(it Item) bool {
	name := strings.TrimPrefix(it.Key, Hosts)
	h, err := lease.ParseHost(name, it.Value)
	if err != nil {
		return v.dropHost(name)
	}
	if old, ok := v.hosts.Find(h); ok && old.Equal(h) {
		return false
	}
	v.hosts = v.hosts.With(v.shared(h))
	return true
}

func (v *View) dropHost(name string) bool {
	probe := lease.Host{Lease: name}
	had := v.hosts.Has(probe)
	v.hosts = v.hosts.Without(probe)
	return had
}

// shared returns h with the version and the prefixes of a neighbour in the
// set, if it says the same: most hosts do, and there may be many.
func (v *View) shared(h lease.Host) lease.Host {
	for near := range v.hosts.From(h) {
		if near.Version == h.Version {
			h.Version = near.Version
		}
		same := near
		same.Lease, same.Name, same.Version, same.MTU = h.Lease, h.Name, h.Version, h.MTU
		if same.Equal(h) {
			h.OnLink = near.OnLink
		}
		break
	}
	return h
}
