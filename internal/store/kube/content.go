package kube

import (
	"fmt"
	"hash/maphash"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
)

// content is the config and the nodes that an agent has announced. A change of
// one node costs the same however many there are. Not safe for concurrent use.
type content struct {
	doc      document
	seed     maphash.Seed
	members  map[string]member                 // by name: the nodes that were announced
	hosts    lease.HostSet                     // which node has which lease
	rivals   map[string]map[string]lease.Lease // by lease.Key: those of other nodes with these subnets, by name
	bad      map[string]bool                   // members without a lease, by name
	leases   lease.Set
	revision int64
	listed   map[string]bool   // while a list comes in: the nodes in it so far
	self     string            // the name of this host's node; "" if nobody said
	own      node              // it, without version; zero if there is none
	assigned *store.Assignment // by own
	entries  []store.Entry     // of bad, for snapshots; nil when it has changed
}

// member is a node that an agent has announced. Of the node itself only a hash
// of its facts is kept, by which a change is noticed.
type member struct {
	facts   uint64
	subnets []netip.Prefix // of its lease
	public  string         // key for WireGuard
	err     error          // why the node itself makes no lease
}

func (m member) key() string { return lease.Key(m.subnets) }

func newContent() *content {
	c := &content{
		seed:    maphash.MakeSeed(),
		members: map[string]member{}, rivals: map[string]map[string]lease.Lease{}, bad: map[string]bool{},
	}
	c.setOwn(node{})
	return c
}

// put records a node as it is now, and returns whether snapshots show a change.
func (c *content) put(n *node) bool {
	if rev, err := strconv.ParseInt(n.version, 10, 64); err == nil {
		c.revision = max(c.revision, rev)
	}
	if c.listed != nil {
		c.listed[n.name] = true
	}
	facts := n.facts()
	own := n.name == c.self && facts != c.own
	if own {
		c.setOwn(facts)
	}
	if !n.joined() {
		return c.unplace(n.name) || own
	}
	facts.internal = "" // matters to the node's own host alone
	hash := maphash.Comparable(c.seed, facts)
	if old, ok := c.members[n.name]; ok && old.facts == hash {
		return own
	}
	c.unplace(n.name)
	c.place(n, hash)
	return true
}

// remove forgets the node of a name, and returns whether snapshots show that.
func (c *content) remove(name string) bool {
	own := name == c.self && c.own != node{}
	if own {
		c.setOwn(node{})
	}
	return c.unplace(name) || own
}

func (c *content) setOwn(n node) { c.own, c.assigned = n, n.assignment() }

// place makes n a member. Of two nodes with the same PodCIDR the one whose name
// comes first has it, on every host alike.
func (c *content) place(n *node, hash uint64) {
	l, err := n.lease()
	m := member{hash, l.Subnets, n.key(), err}
	c.members[n.name] = m
	if err != nil {
		c.setBad(n.name, true)
		return
	}
	key := m.key()
	switch holder, taken := c.holder(key); {
	case !taken:
		c.give(key, n.name, l)
	case holder < n.name:
		c.addRival(key, n.name, l)
	default:
		had, _ := c.leases.Find(l)
		c.addRival(key, holder, had)
		c.give(key, n.name, l)
	}
}

// holder returns the name of the node that has the subnets with this key.
func (c *content) holder(key string) (name string, ok bool) {
	h, ok := c.hosts.Find(lease.Host{Lease: key})
	return h.Name, ok
}

func (c *content) holds(name, key string) bool {
	holder, ok := c.holder(key)
	return ok && holder == name
}

// give makes the node of a name the holder of the subnets with this key.
func (c *content) give(key, name string, l lease.Lease) {
	c.hosts = c.hosts.With(lease.Host{Lease: key, Name: name, WireGuard: c.members[name].public})
	c.leases = c.leases.With(l)
	if len(c.rivals[key]) > 0 {
		c.entries = nil // they name the holder
	}
}

func (c *content) addRival(key, name string, l lease.Lease) {
	if c.rivals[key] == nil {
		c.rivals[key] = map[string]lease.Lease{}
	}
	c.rivals[key][name] = l
	c.setBad(name, true)
}

func (c *content) removeRival(key, name string) {
	if delete(c.rivals[key], name); len(c.rivals[key]) == 0 {
		delete(c.rivals, key)
	}
	c.setBad(name, false)
}

func (c *content) setBad(name string, bad bool) {
	c.entries = nil
	if delete(c.bad, name); bad {
		c.bad[name] = true
	}
}

// unplace removes the member of a name, and returns whether there was one.
func (c *content) unplace(name string) bool {
	m, ok := c.members[name]
	if !ok {
		return false
	}
	delete(c.members, name)
	key := m.key()
	switch {
	case m.err != nil:
		c.setBad(name, false)
	case !c.holds(name, key):
		c.removeRival(key, name)
	default:
		c.vacate(key, m)
	}
	return true
}

// vacate takes the subnets with this key from m and gives them to the first of
// its rivals.
func (c *content) vacate(key string, m member) {
	c.hosts = c.hosts.Without(lease.Host{Lease: key})
	c.leases = c.leases.Without(lease.At(m.subnets))
	if len(c.rivals[key]) == 0 {
		return
	}
	first := slices.Min(slices.Collect(maps.Keys(c.rivals[key])))
	l := c.rivals[key][first]
	c.removeRival(key, first)
	c.give(key, first, l)
}

// fault is why the node of a name has no lease, nil if it has one or wants none.
func (c *content) fault(name string) error {
	m, ok := c.members[name]
	switch {
	case !ok:
		return nil
	case m.err != nil:
		return m.err
	}
	holder, _ := c.holder(m.key())
	if holder == name {
		return nil
	}
	return fmt.Errorf("its PodCIDR %s is also that of node %s; delete the node and let it register again to get another", lease.FormatSubnets(m.subnets), holder)
}

// begin starts recording a list of all nodes.
func (c *content) begin() { c.listed = map[string]bool{} }

// end removes the nodes that the list did not hold, and returns whether
// snapshots show that.
func (c *content) end(version string) bool {
	changed := false
	for name := range c.members {
		if !c.listed[name] {
			changed = c.remove(name) || changed
		}
	}
	if c.self != "" && !c.listed[c.self] {
		changed = c.remove(c.self) || changed
	}
	c.listed = nil
	if rev, err := strconv.ParseInt(version, 10, 64); err == nil {
		c.revision = max(c.revision, rev)
	}
	return changed
}

// Snapshot implements feed.Content. What snapshots share, nobody changes.
func (c *content) Snapshot() store.Snapshot {
	s := store.Snapshot{
		Revision:       c.revision,
		Config:         c.doc.text,
		ConfigRevision: c.doc.revision,
		Leases:         c.leases,
		Hosts:          c.hosts,
		Assigned:       c.assigned,
		Bad:            c.badEntries(),
	}
	if c.doc.err != nil {
		s.Bad = slices.Concat([]store.Entry{{Key: "config", Err: c.doc.err}}, s.Bad)
	}
	return s
}

// badEntries are the nodes without a lease, sorted.
func (c *content) badEntries() []store.Entry {
	if c.entries == nil && len(c.bad) > 0 {
		for _, name := range slices.Sorted(maps.Keys(c.bad)) {
			c.entries = append(c.entries, store.Entry{Key: "node/" + name, Err: c.fault(name)})
		}
	}
	return c.entries
}
