// Package view turns the keys and values of a store into snapshots, one
// change at a time: only what changed is decoded, and snapshots share what
// did not. It is pure and serves every store that keeps flannel's format; it
// knows nothing of how the keys got here.
package view

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
)

// The keys of flannel, below the network's prefix.
const (
	ConfigKey = "config"
	Subnets   = "subnets/" // followed by lease.Key
)

// Former is weft's own: followed by the lease.Key of a lease that drains, it
// holds the networks that the lease lies in (netconf.FormatPrevious).
const Former = "weft/former/"

// Item is one stored key.
type Item struct {
	Key      string // below the network's prefix
	Value    []byte // not changed afterwards
	Revision int64  // of its last change
	Reserved bool   // it has no time to live
}

// View is the content of a store at its newest change. Not safe for
// concurrent use.
type View struct {
	revision  int64
	config    []byte
	configRev int64
	leases    lease.Set
	bad       map[string]error              // by key
	former    map[string][]netconf.Previous // by the whole key
	hosts     lease.HostSet
	notes     []store.Entry
	missing   error // why there is no config, if that is known
}

// New is a store at revision rev that holds items, each key once.
func New(rev int64, items []Item) *View {
	b := NewBuilder()
	for _, it := range items {
		b.Put(it)
	}
	return b.View(rev)
}

// Builder makes a View of a list that comes in parts. It keeps nothing of the
// values.
type Builder struct {
	view   *View
	leases []lease.Lease // sorted at the end: inserting each would take long for many
}

// NewBuilder returns a builder of an empty view.
func NewBuilder() *Builder {
	return &Builder{view: &View{bad: map[string]error{}, former: map[string][]netconf.Previous{}}}
}

// Put takes in a key; each comes once.
func (b *Builder) Put(it Item) {
	name, ok := strings.CutPrefix(it.Key, Subnets)
	if !ok {
		b.view.Put(it)
		return
	}
	if l, err := decode(name, it); err != nil {
		b.view.bad[name] = err
	} else {
		b.leases = append(b.leases, l)
	}
}

// View returns what was put, as of revision rev. It ends the builder.
func (b *Builder) View(rev int64) *View {
	b.view.leases, b.view.revision = lease.SetOf(b.leases...), rev
	return b.view
}

// Put takes in a key that was written, and tells whether that changed
// anything a snapshot shows.
func (v *View) Put(it Item) bool {
	v.revision = max(v.revision, it.Revision)
	if it.Key == ConfigKey {
		v.config, v.configRev = bytes.Clone(it.Value), it.Revision
		return true
	}
	if strings.HasPrefix(it.Key, Former) {
		return v.putFormer(it)
	}
	if strings.HasPrefix(it.Key, Hosts) {
		return v.putHost(it)
	}
	name, ok := strings.CutPrefix(it.Key, Subnets)
	if !ok {
		return false
	}
	why, wasBad := v.bad[name]
	l, err := decode(name, it)
	if err != nil {
		wasLease := v.remove(name)
		v.bad[name] = err
		return wasLease || !wasBad || why.Error() != err.Error()
	}
	delete(v.bad, name)
	if old, ok := v.leases.Find(l); ok && old.Reserved == l.Reserved && old.Attrs.Equal(l.Attrs) {
		return false
	}
	v.leases = v.leases.With(l)
	return true
}

// Delete takes in a key that was deleted at revision rev, and tells whether
// that changed anything a snapshot shows.
func (v *View) Delete(key string, rev int64) bool {
	v.revision = max(v.revision, rev)
	if key == ConfigKey {
		had := v.configRev != 0
		v.config, v.configRev = nil, 0
		return had
	}
	if _, had := v.former[key]; had {
		delete(v.former, key)
		return true
	}
	if name, ok := strings.CutPrefix(key, Hosts); ok {
		return v.dropHost(name)
	}
	name, ok := strings.CutPrefix(key, Subnets)
	if !ok {
		return false
	}
	_, wasBad := v.bad[name]
	delete(v.bad, name)
	return v.remove(name) || wasBad
}

// Note sets what snapshots say the store does without.
func (v *View) Note(notes []store.Entry) { v.notes = notes }

// Config returns the config document, nil if there is none.
func (v *View) Config() []byte { return v.config }

// Missing sets why there is no config, for snapshots without one.
func (v *View) Missing(why error) { v.missing = why }

// Revision is that of the newest change.
func (v *View) Revision() int64 { return v.revision }

// Snapshot returns the present content. Snapshots share their leases, which
// are never changed.
func (v *View) Snapshot() store.Snapshot {
	s := store.Snapshot{
		Revision:       v.revision,
		ConfigRevision: v.configRev,
		Config:         v.config,
		Leases:         v.leases,
		Former:         v.previous(),
		Hosts:          v.hosts,
		Notes:          v.notes,
	}
	if v.config == nil {
		s.NoConfig = v.missing
	}
	for _, name := range slices.Sorted(maps.Keys(v.bad)) {
		s.Bad = append(s.Bad, store.Entry{Key: Subnets + name, Err: v.bad[name]})
	}
	return s
}

func decode(name string, it Item) (lease.Lease, error) {
	subnets, err := lease.ParseKey(name)
	if err != nil {
		return lease.Lease{}, err
	}
	attrs, err := lease.ParseAttrs(it.Value)
	if err != nil {
		return lease.Lease{}, err
	}
	return lease.Lease{Subnets: subnets, Attrs: attrs, Reserved: it.Reserved}, nil
}

// remove takes the lease with this name out, and reports whether there was one.
func (v *View) remove(name string) bool {
	subnets, err := lease.ParseKey(name)
	if err != nil || !v.leases.Has(lease.At(subnets)) {
		return false
	}
	v.leases = v.leases.Without(lease.At(subnets))
	return true
}

// Occupied returns the leases among items, sorted, as lease.Choose wants them.
func Occupied(items []Item) []lease.Lease {
	out := make([]lease.Lease, 0, len(items))
	for _, it := range items {
		if l, ok := Occupying(it); ok {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, lease.Lease.Compare)
	return out
}

// Occupying returns the lease that it is, if it is one, as lease.Choose wants
// it: a lease whose value cannot be read still takes up its subnets. What a
// backend needs to know of others is left out, since there are many and this
// takes the most room.
func Occupying(it Item) (lease.Lease, bool) {
	name, ok := strings.CutPrefix(it.Key, Subnets)
	if !ok {
		return lease.Lease{}, false
	}
	l, err := decode(name, it)
	if err != nil {
		if l.Subnets, err = lease.ParseKey(name); err != nil {
			return lease.Lease{}, false
		}
	}
	if l.Backend != "" { // else it may matter that there is something
		l.Data = lease.Data{}
	}
	return l, true
}
