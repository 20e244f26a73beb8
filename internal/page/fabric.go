package page

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/weft-net/weft/internal/api"
)

// Fabric is the whole picture.
type Fabric struct {
	Head  Head   `json:"head"`
	Hosts []Host `json:"hosts"` // sorted by ID
	Links []Link `json:"links"` // sorted by ID
}

// Head is what there is once.
type Head struct {
	Self    string         `json:"self"` // ID of this host, "" before its first lease
	Network []netip.Prefix `json:"network"`
	Backend string         `json:"backend"`
	Direct  bool           `json:"directRouting"`
	Store   api.StoreState `json:"store"`
	Change  api.Change     `json:"change"`
	Lab     *Cables        `json:"lab,omitempty"`
}

// Host is a host of the network. What is not known of it is absent.
type Host struct {
	ID      string         `json:"id"` // its subnets, else its name
	Name    string         `json:"name,omitempty"`
	Version string         `json:"version,omitempty"`
	Subnets []netip.Prefix `json:"subnets,omitempty"`
	Public  []netip.Addr   `json:"public,omitempty"`
	Segment string         `json:"segment,omitempty"` // the subnet that its public address is directly connected to
	Backend string         `json:"backend,omitempty"` // as it advertises
	Asked   bool           `json:"asked,omitempty"`   // its agent is asked
	State   api.State      `json:"state,omitempty"`   // as its agent answers; absent: it did not
	Why     string         `json:"why,omitempty"`     // why it is not ready, or does not answer

	Lease    *api.Lease    `json:"lease,omitempty"`
	Uplink   string        `json:"uplink,omitempty"`
	Objects  int           `json:"objects,omitempty"` // of the kernel, wanted
	Failed   int           `json:"failed,omitempty"`  // of these
	Problems []api.Problem `json:"problems,omitempty"`
}

// Link is a path from one host to another, as the first one's agent sees it.
type Link struct {
	ID    string         `json:"id"` // From, To, family and kind
	From  string         `json:"from"`
	To    string         `json:"to"`
	Kind  string         `json:"kind"`
	Use   bool           `json:"use,omitempty"` // packets take it now
	Via   netip.Addr     `json:"via,omitzero"`
	Dev   string         `json:"dev,omitempty"`
	State api.ReachState `json:"state,omitempty"` // absent: not probed
	Since time.Time      `json:"since,omitzero"`
	Last  time.Time      `json:"lastAnswer,omitzero"` // of a lost path alone: elsewhere it is now
	Loss  float64        `json:"loss,omitempty"`
	RTT   int64          `json:"rtt,omitempty"` // microseconds, in three digits
	MTU   int            `json:"mtu,omitempty"`
}

// Report is what an agent has answered.
type Report struct {
	Host   string
	ID     string // of the host, if that is known beforehand
	Status api.Status
	Err    error // it did not
}

// Merge puts answers together; the first is this host's. Of a host that did
// not answer itself, what others know is taken.
func Merge(reports []Report) Fabric {
	m := merger{hosts: map[string]*Host{}, near: nearOf(reports)}
	for _, r := range reports {
		m.peers(r)
	}
	for i, r := range reports {
		id := m.own(r)
		if i == 0 {
			s := r.Status
			m.out.Head = Head{Self: id, Network: s.Network, Backend: s.Backend, Direct: s.Direct, Store: s.Store, Change: s.Change}
			m.out.Head.Store.Requests = nil
		}
	}
	for _, h := range m.hosts {
		m.out.Hosts = append(m.out.Hosts, *h)
	}
	slices.SortFunc(m.out.Hosts, func(a, b Host) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(m.out.Links, func(a, b Link) int { return cmp.Compare(a.ID, b.ID) })
	return m.out
}

type merger struct {
	hosts map[string]*Host
	near  []netip.Prefix
	out   Fabric
}

// nearOf returns all subnets of which a host says that it is connected to them,
// the longest first.
func nearOf(reports []Report) []netip.Prefix {
	seen := map[netip.Prefix]bool{}
	for _, r := range reports {
		for _, p := range r.Status.Uplink.OnLink {
			seen[p] = true
		}
		for _, peer := range r.Status.Peers {
			for _, p := range peer.OnLink {
				seen[p] = true
			}
		}
	}
	var out []netip.Prefix
	for p := range seen {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int { return cmp.Or(b.Bits()-a.Bits(), a.Addr().Compare(b.Addr())) })
	return out
}

func (m *merger) segment(own []netip.Prefix, public []netip.Addr) string {
	for _, near := range [][]netip.Prefix{own, m.near} {
		for _, a := range public {
			for _, p := range near {
				if p.Contains(a) {
					return p.String()
				}
			}
		}
	}
	return ""
}

// peers adds what an agent knows of others.
func (m *merger) peers(r Report) {
	from := idOf(r.Status.Lease.Subnets, r.Host)
	for _, p := range r.Status.Peers {
		id := idOf(p.Subnets, p.Name)
		if m.hosts[id] == nil {
			m.hosts[id] = &Host{
				ID: id, Name: p.Name, Version: p.Version, Subnets: p.Subnets, Public: p.Public, Backend: p.Backend,
				Segment: m.segment(p.OnLink, p.Public),
			}
		}
		if p.Problem != "" {
			m.hosts[id].Problems = append(m.hosts[id].Problems, api.Problem{Subject: "seen from " + nameOf(r), Message: p.Problem, Severity: api.SeverityWarning})
		}
		for _, path := range p.Paths {
			m.out.Links = append(m.out.Links, linkOf(from, id, path, true))
		}
		for _, path := range p.Others {
			m.out.Links = append(m.out.Links, linkOf(from, id, path, false))
		}
	}
}

// own adds what an agent says of its own host, and returns the host's ID.
func (m *merger) own(r Report) string {
	s := r.Status
	id := idOf(s.Lease.Subnets, cmp.Or(r.ID, r.Host))
	h := m.hosts[id]
	if h == nil && r.Err != nil {
		if h = m.hosts[r.ID]; h == nil { // others may know it
			h = m.named(r.Host)
		}
	}
	if h == nil {
		h = &Host{ID: id, Name: r.Host}
		m.hosts[id] = h
	}
	h.Asked = true
	if r.Err != nil {
		h.Why = r.Err.Error()
		return h.ID
	}
	lease := s.Lease
	h.Name, h.Version, h.State, h.Why = cmp.Or(s.Hostname, r.Host), s.Version, s.State, s.NotReady
	h.Subnets, h.Public, h.Backend, h.Lease = lease.Subnets, lease.Public, s.Backend, &lease
	h.Segment, h.Uplink = m.segment(s.Uplink.OnLink, lease.Public), s.Uplink.Name
	h.Objects, h.Failed = s.Pass.Rows, s.Pass.Failed
	h.Problems = append(slices.Clone(s.Problems), h.Problems...)
	return id
}

func (m *merger) named(name string) *Host {
	for _, h := range m.hosts {
		if h.Name == name && name != "" {
			return h
		}
	}
	return nil
}

func linkOf(from, to string, p api.Path, use bool) Link {
	family := "4"
	if p.Subnet.Addr().Is6() {
		family = "6"
	}
	l := Link{
		ID: from + ">" + to + ">" + family + ">" + p.Kind, From: from, To: to, Kind: p.Kind, Use: use, Via: p.Via, Dev: p.Dev,
		State: p.Reach.State, Since: p.Reach.Since, Loss: float64(int(p.Reach.Loss*1000+0.5)) / 1000, RTT: threeDigits(p.Reach.RTT.Microseconds()), MTU: p.Reach.MTU,
	}
	if l.State == api.ReachLost {
		l.Last = p.Reach.Answered
	}
	return l
}

// threeDigits rounds, since a link that changes is sent again.
func threeDigits(n int64) int64 {
	unit := int64(1)
	for n/unit >= 1000 {
		unit *= 10
	}
	return n / unit * unit
}

// HostID is the ID of the host with these subnets: what events and problems call it.
func HostID(subnets []netip.Prefix) string {
	var words []string
	for _, p := range subnets {
		words = append(words, p.String())
	}
	return strings.Join(words, ", ")
}

func idOf(subnets []netip.Prefix, name string) string { return cmp.Or(HostID(subnets), name) }

func nameOf(r Report) string { return cmp.Or(r.Status.Hostname, r.Host) }
