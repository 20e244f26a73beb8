package intent

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/sorted"
)

// tellPeers logs what is new about peers between two plans: who joined, left or
// moved, and to whom packets take another path. Before the first plan, before
// is nil, nothing is new, and how many there are is enough. The cost is that of
// what changed.
func (t *step) tellPeers(before, now *plan.Input) {
	if before == nil {
		if n := t.countPeers(now); n > 0 {
			t.say(Info, event.Peers, "peers in the network", "count", n)
		}
		return
	}
	n := news{step: t, before: before, now: now, mine: t.state.publicAddrs(), samePaths: plan.SamePaths(before, now)}
	n.collect()
	n.probed()
	if !n.samePaths {
		for l := range now.Peers.All() {
			if old, ok := before.Peers.Find(l); ok && isPeer(now, &l, n.mine) {
				n.path(&old, &l)
			}
		}
	}
	t.tellNews(n.list)
}

func (t *step) countPeers(in *plan.Input) (n int) {
	mine := t.state.publicAddrs()
	for l := range in.Peers.All() {
		if isPeer(in, &l, mine) {
			n++
		}
	}
	return n
}

// isPeer reports whether l is a lease of another host. A reservation that
// nobody holds is not; nor is a lease of this host, with one of mine, that it is
// not going by yet.
func isPeer(in *plan.Input, l *lease.Lease, mine []netip.Addr) bool {
	return l != nil && in.Foreign(l) && !l.Vacant() && !announcesOneOf(*l, mine)
}

// news is what is found out about peers between two plans.
type news struct {
	*step
	before, now *plan.Input
	mine        []netip.Addr // this host's addresses
	samePaths   bool         // but for peers that changed themselves
	list        []Message
}

func (n *news) add(kind event.Kind, text string, l *lease.Lease, attrs ...any) {
	about := []any{"subnet", lease.FormatSubnets(l.Subnets)}
	if name := n.state.store.nameOf(l); name != "" {
		about = append([]any{"peer", name}, about...)
	}
	n.list = append(n.list, Message{Info, kind, text, append(about, attrs...)})
}

// collect finds out who joined, left and moved, and the paths of those who
// announce something else.
func (n *news) collect() {
	var joined, left []*lease.Lease
	for c := range sorted.Diff(n.before.Peers, n.now.Peers) {
		was, is := isPeer(n.before, c.Old, n.mine), isPeer(n.now, c.New, n.mine)
		switch {
		case was && !is:
			left = append(left, c.Old)
		case is && !was:
			joined = append(joined, c.New)
		case is && !c.Old.Same(*c.New):
			n.changed(c.Old, c.New)
		}
	}
	gone := map[netip.Addr]*lease.Lease{}
	for _, l := range left {
		for _, a := range l.Public {
			gone[a] = l
		}
	}
	moved := map[*lease.Lease]bool{}
	for _, l := range joined {
		former := n.formerOf(l, gone)
		if former == nil {
			n.joined(l)
			continue
		}
		moved[former] = true
		n.add(event.PeerMoved, "peer moved to another subnet", l, "from", lease.FormatSubnets(former.Subnets), "to", lease.FormatSubnets(l.Subnets))
	}
	for _, l := range left {
		// A host's previous subnet may drain beside the present one.
		if !moved[l] && n.otherOf(l) == nil {
			n.add(event.PeerLeft, "peer left", l, "address", lease.FormatAddrs(l.Public))
		}
	}
}

func (n *news) joined(l *lease.Lease) {
	attrs := []any{"address", lease.FormatAddrs(l.Public)}
	if kind := n.kindOf(n.now, l); kind != "" {
		attrs = append(attrs, "path", kind)
	}
	n.add(event.PeerJoined, "peer joined", l, attrs...)
}

func (n *news) changed(old, l *lease.Lease) {
	if !slices.Equal(old.Public, l.Public) {
		n.add(event.PeerMoved, "peer moved to another address", l, "from", lease.FormatAddrs(old.Public), "to", lease.FormatAddrs(l.Public))
	}
	if n.samePaths {
		n.path(old, l)
	}
}

// probed notes which paths have been lost and which are back, and which others are
// taken instead.
func (n *news) probed() {
	var last lease.Lease
	for c := range sorted.Diff(n.before.Proofs, n.now.Proofs) {
		proof := cmp.Or(c.New, c.Old)
		was, is := verdictOf(c.Old), verdictOf(c.New)
		l, found := n.now.Peers.Find(lease.At(proof.Subnets))
		if !found || !isPeer(n.now, &l, n.mine) || was == is {
			continue
		}
		attrs := []any{"path", string(proof.Kind), "family", proof.Family}
		switch {
		case is == plan.Lost:
			n.add(event.PathLost, "path to peer lost", &l, attrs...)
		case was == plan.Lost:
			n.add(event.PathBack, "path to peer works again", &l, attrs...)
		}
		if old, had := n.before.Peers.Find(l); had && n.samePaths && last.Compare(l) != 0 {
			n.path(&old, &l)
		}
		last = l // both of its paths may have changed
	}
}

func verdictOf(p *plan.Proof) plan.Verdict {
	if p == nil {
		return plan.Unmeasured
	}
	return p.Verdict
}

// path notes that packets to a peer take another path. That there is none is a
// problem of the plan, which tells why. A family is named if the peer has another
// one, whose packets do not do the same.
func (n *news) path(old, l *lease.Lease) {
	type way struct{ from, to string }
	var families []netconf.Family
	var ways []way
	for _, f := range netconf.Families {
		if from, to := kindOf(n.before, old, f), kindOf(n.now, l, f); from != "" && to != "" {
			families, ways = append(families, f), append(ways, way{from, to})
		}
	}
	alike := len(slices.Compact(slices.Clone(ways))) == 1
	for i, w := range ways {
		attrs := []any{"from", w.from, "to", w.to}
		if !alike {
			attrs = append(attrs, "family", families[i])
		}
		if w.from != w.to && (i == 0 || !alike) {
			n.add(event.PathChanged, "path to peer changed", l, attrs...)
		}
	}
}

// kindOf returns how packets to l's subnet of a family travel, "" if they do not.
func kindOf(in *plan.Input, l *lease.Lease, f netconf.Family) string {
	if _, ok := l.Subnet(f); !ok {
		return ""
	}
	p, err := plan.PathTo(*in, *l, f)
	if err != nil {
		return ""
	}
	return string(p.Kind)
}

// kindOf returns how packets to l travel, "" if they do not.
func (n *news) kindOf(in *plan.Input, l *lease.Lease) string {
	for _, f := range netconf.Families {
		if kind := kindOf(in, l, f); kind != "" {
			return kind
		}
	}
	return ""
}

// formerOf returns the lease that the host of l had before, nil if none: one of
// gone, or one that drains.
func (n *news) formerOf(l *lease.Lease, gone map[netip.Addr]*lease.Lease) *lease.Lease {
	for _, a := range l.Public {
		if former := gone[a]; former != nil {
			return former
		}
	}
	if other := n.otherOf(l); other != nil && n.before.Peers.Has(*other) {
		return other
	}
	return nil
}

// otherOf returns another lease of l's host, nil if there is none.
func (n *news) otherOf(l *lease.Lease) *lease.Lease {
	for _, a := range l.Public {
		for _, key := range n.state.store.index.Announcing(a) {
			if other, ok := n.now.Peers.Find(lease.At(key)); ok && other.Compare(*l) != 0 && isPeer(n.now, &other, n.mine) {
				return &other
			}
		}
	}
	return nil
}

// newsPause is the least between two summaries of changed peers, and the time
// within which maxTold of them are told one by one.
const newsPause = 10 * time.Second

// bulletin is what is yet to be told about peers.
type bulletin struct {
	since  time.Time // when the ones that are told one by one began to be counted
	told   int       // of these
	next   time.Time // of a summary
	counts [6]int    // not told yet, by the order of counted
}

// counted are the kinds of news that a summary counts, with their words.
var counted = [6]struct {
	kind event.Kind
	word string
}{{event.PeerJoined, "joined"}, {event.PeerLeft, "left"}, {event.PeerMoved, "moved"}, {event.PathChanged, "pathsChanged"}, {event.PathLost, "pathsLost"}, {event.PathBack, "pathsBack"}}

// tellNews logs a few news one by one, and counts many for a summary. Where
// thousands of peers come at once, or some all the time, a line for each would
// cost more than the change, and displace all other events.
func (t *step) tellNews(list []Message) {
	b := &t.state.bulletin
	if t.now.Sub(b.since) >= newsPause {
		b.since, b.told = t.now, 0
	}
	if b.told+len(list) <= maxTold {
		b.told += len(list)
		t.out.Messages = append(t.out.Messages, list...)
		return
	}
	for _, m := range list {
		for i, c := range counted {
			if c.kind == m.Kind {
				b.counts[i]++
			}
		}
	}
}

// tellMany logs the summary of changed peers, if it is time for one.
func (t *step) tellMany() {
	b := &t.state.bulletin
	if b.counts == [6]int{} {
		return
	}
	if left := b.next.Sub(t.now); left > 0 {
		t.wake(left)
		return
	}
	var attrs []any
	for i, c := range counted {
		if b.counts[i] > 0 {
			attrs = append(attrs, c.word, b.counts[i])
		}
	}
	t.say(Info, event.Peers, "many peers changed", attrs...)
	b.counts, b.next = [6]int{}, t.now.Add(newsPause)
}
