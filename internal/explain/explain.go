package explain

import (
	"fmt"
	"net/netip"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/netdump"
	"github.com/weft-net/weft/internal/netstate"
)

// Facts is what is known about this host and the network.
type Facts struct {
	Kernel netdump.Host
	Status api.Status      // of the agent; without one, what the store or the state directory's copy says
	Plan   *netstate.State // the desired state; nil: unknown
	Agent  bool            // an agent runs and maintains the objects
}

// Query is which packet to follow.
type Query struct {
	Src, Dst netip.Addr
	Proto    uint8  // IPPROTO_*; 0: ICMP
	Port     uint16 // destination port; 0: any
}

// Router answers how a packet is routed: the kernel, or (*netdump.Host).Lookup.
type Router func(netdump.Question) (netdump.Answer, error)

// State is how a station is.
type State string

// The states of stations.
const (
	OK      State = "ok"
	Unknown State = "unknown" // it cannot be told from what is known here
	Broken  State = "broken"  // packets end here
)

// Station is something that a packet comes by.
type Station struct {
	Name   string `json:"name"`   // "route", "neighbour", "firewall forward"
	Object string `json:"object"` // as ip(8), bridge(8) or nft(8) print it
	State  State  `json:"state"`
	Note   string `json:"note,omitempty"`   // what the object does, or what is wrong
	Remedy string `json:"remedy,omitempty"` // of a broken station
}

// End is where a packet comes from or goes to.
type End struct {
	Addr   netip.Addr   `json:"address"`
	Kind   Kind         `json:"kind"`
	Host   string       `json:"host,omitempty"` // name, or the address that it advertises
	Subnet netip.Prefix `json:"subnet,omitzero"`
}

// Result is the way of a packet, up to the first station that is broken.
type Result struct {
	Source      End       `json:"source"`
	Destination End       `json:"destination"`
	Stations    []Station `json:"stations"`
	Trace       []Station `json:"trace,omitempty"` // of a packet that was sent
}

// Broken returns the broken station, that of a packet that was sent before the one that was
// found without; false if there is none.
func (r Result) Broken() (Station, bool) {
	for _, list := range [][]Station{r.Trace, r.Stations} {
		for _, s := range list {
			if s.State == Broken {
				return s, true
			}
		}
	}
	return Station{}, false
}

// ElsewhereError says that a packet does not come by this host.
type ElsewhereError struct{ Src, Dst End }

// Error names both ends.
func (e *ElsewhereError) Error() string {
	return fmt.Sprintf("neither %s nor %s is on this host", e.Src.Addr, e.Dst.Addr)
}

// Hint says where to ask.
func (e *ElsewhereError) Hint() string {
	if e.Src.Host != "" {
		return "run it on " + e.Src.Host
	}
	return "run it on the host of one of them"
}

// Explain follows a packet. The error is a *ElsewhereError, or one of the router.
func Explain(f Facts, q Query, route Router) (Result, error) {
	t := &trace{Facts: f, route: route}
	t.out.Source, t.out.Destination = t.place(q.Src), t.place(q.Dst)
	if !t.out.Source.Kind.local() && !t.out.Destination.Kind.local() {
		return t.out, &ElsewhereError{t.out.Source, t.out.Destination}
	}
	t.packet = packet{src: q.Src, dst: q.Dst, proto: ProtocolOf(q), port: q.Port}
	if t.enter() && !t.bridged() {
		t.forward()
	}
	return t.out, t.err
}

// ProtocolOf returns the number of the packet's protocol.
func ProtocolOf(q Query) uint8 {
	if q.Proto == 0 {
		return icmp(q.Dst)
	}
	return q.Proto
}

// trace is one packet's way.
type trace struct {
	Facts
	route  Router
	packet packet
	out    Result
	err    error

	translated bool // the destination became another
}

// add adds a station and reports whether the packet gets past it.
func (t *trace) add(s Station) bool {
	if s.State == "" {
		s.State = OK
	}
	t.out.Stations = append(t.out.Stations, s)
	return s.State != Broken
}

// broken adds the station at which the way ends.
func (t *trace) broken(name, object, note, remedy string) bool {
	return t.add(Station{Name: name, Object: object, State: Broken, Note: note, Remedy: remedy})
}

// ask asks the router; false if that failed.
func (t *trace) ask(q netdump.Question) (netdump.Answer, bool) {
	a, err := t.route(q)
	if err != nil {
		t.err = err
	}
	return a, err == nil
}

// restore is the remedy for an object of weft's that is not as planned.
func (t *trace) restore() string {
	if t.Agent {
		return "the agent restores it within a moment; if it does not, see 'weft status --problems' and 'weft events'"
	}
	return "no agent runs here that would restore it: start it with 'weft up' or 'systemctl start weft'"
}
