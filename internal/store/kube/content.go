package kube

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
)

// content is the config and the nodes that an agent has announced. Not safe
// for concurrent use.
type content struct {
	doc      document
	nodes    map[string]node   // by name: what was announced, without version
	holders  map[string]string // by lease.Key: the node that has it
	bad      map[string]error  // by the name of a node
	leases   lease.Set
	revision int64
	listed   map[string]bool // while a list comes in: the nodes in it so far
	self     string          // the name of this host's node; "" if nobody said
	own      node            // it, without version; zero if there is none
}

func newContent() *content {
	return &content{nodes: map[string]node{}, holders: map[string]string{}, bad: map[string]error{}}
}

// put takes in a node as it is now, and tells whether that changed anything a
// snapshot shows.
func (c *content) put(n node) bool {
	if rev, err := strconv.ParseInt(n.version, 10, 64); err == nil {
		c.revision = max(c.revision, rev)
	}
	if c.listed != nil {
		c.listed[n.name] = true
	}
	n = n.facts()
	own := n.name == c.self && n != c.own
	if own {
		c.own = n
	}
	if !n.joined() {
		return c.unplace(n.name) || own
	}
	if old, ok := c.nodes[n.name]; ok && old == n {
		return own
	}
	c.unplace(n.name)
	c.nodes[n.name] = n
	c.place(n)
	return true
}

// remove takes out the node of a name, and tells whether a snapshot shows that.
func (c *content) remove(name string) bool {
	own := name == c.self && c.own != node{}
	if own {
		c.own = node{}
	}
	return c.unplace(name) || own
}

// unplace takes a node from among those that were announced.
func (c *content) unplace(name string) bool {
	n, ok := c.nodes[name]
	if !ok {
		return false
	}
	delete(c.nodes, name)
	delete(c.bad, name)
	l, err := n.lease()
	key := lease.Key(l.Subnets)
	if err != nil || c.holders[key] != name {
		return true
	}
	delete(c.holders, key)
	c.leases = c.leases.Without(l)
	for other := range c.bad { // somebody may have waited for these subnets
		c.place(c.nodes[other])
	}
	return true
}

// place puts n among the leases, or among what is bad. Of two nodes with the
// same PodCIDR the one whose name comes first has it, on every host alike.
func (c *content) place(n node) {
	delete(c.bad, n.name)
	l, err := n.lease()
	if err != nil {
		c.bad[n.name] = err
		return
	}
	key := lease.Key(l.Subnets)
	holder, taken := c.holders[key]
	if taken && holder < n.name {
		c.bad[n.name] = &twiceError{key}
		return
	}
	if taken && holder != n.name {
		c.bad[holder] = &twiceError{key}
	}
	c.holders[key] = n.name
	c.leases = c.leases.With(l)
}

// twiceError says that another node has the subnets with this key. Which one
// may change.
type twiceError struct{ key string }

func (e *twiceError) Error() string { return "another node has " + e.key }

// fault is why the node of a name is no lease, nil if it is one.
func (c *content) fault(name string) error {
	if e, twice := errors.AsType[*twiceError](c.bad[name]); twice {
		return fmt.Errorf("its PodCIDR %s is also that of node %s; delete the node and let it register again to get another", c.nodes[name].cidrs, c.holders[e.key])
	}
	return c.bad[name]
}

// begin starts taking in a list of all nodes.
func (c *content) begin() { c.listed = map[string]bool{} }

// end takes out the nodes that the list did not hold, and tells whether there
// were any.
func (c *content) end(version string) bool {
	changed := false
	for name := range c.nodes {
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

// Snapshot implements feed.Content. Snapshots share their leases, which nobody
// changes.
func (c *content) Snapshot() store.Snapshot {
	s := store.Snapshot{
		Revision:       c.revision,
		Config:         c.doc.text,
		ConfigRevision: c.doc.revision,
		Leases:         c.leases,
		Assigned:       c.own.assignment(),
	}
	if c.doc.err != nil {
		s.Bad = append(s.Bad, store.Entry{Key: "config", Err: c.doc.err})
	}
	for _, name := range slices.Sorted(maps.Keys(c.bad)) {
		s.Bad = append(s.Bad, store.Entry{Key: "node/" + name, Err: c.fault(name)})
	}
	return s
}
