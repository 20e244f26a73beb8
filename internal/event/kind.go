// Package event has the kinds of events that an agent logs and 'weft events'
// shows. The kinds are a promise to programs that read them: docs/guides/operations.md
// lists them, and a test holds the two together. The package knows neither how
// events are kept nor who finds out about them.
package event

// Kind says what an event is about, in one word that does not change.
type Kind string

// Attr is the attribute of a log record that has its Kind. It is kept with the
// event and left out of the log, where the message says the same.
const Attr = "kind"

// The kinds.
const (
	Starting      Kind = "starting"
	Ready         Kind = "ready"
	Stopping      Kind = "stopping"
	Peers         Kind = "peers"
	PeerJoined    Kind = "peer-joined"
	PeerLeft      Kind = "peer-left"
	PeerMoved     Kind = "peer-moved"
	PathChanged   Kind = "path-changed"
	PathLost      Kind = "path-lost"
	PathBack      Kind = "path-back"
	PathSlower    Kind = "path-slower"
	Config        Kind = "config"
	ConfigChanged Kind = "config-changed"
	Uplink        Kind = "uplink"
	Lease         Kind = "lease"
	Key           Kind = "key"
	Draining      Kind = "draining"
	Drift         Kind = "drift"
	Repaired      Kind = "repaired"
	Applied       Kind = "applied"
	Kernel        Kind = "kernel"
	Problem       Kind = "problem"
	Solved        Kind = "problem-solved"
	Store         Kind = "store"
	Other         Kind = "other"
)

// Meaning is a kind and what an event of it tells.
type Meaning struct {
	Kind Kind
	Text string
}

// Meanings are all kinds, in the order in which they are listed to people.
var Meanings = []Meaning{
	{Starting, "an agent starts"},
	{Ready, "this host is reached as it advertises: for the first time, or again"},
	{Stopping, "the agent stops; traffic keeps flowing"},
	{Peers, "how many peers there are, when the agent makes its first plan, or how many have changed, when they are many at once"},
	{PeerJoined, "a peer has a lease now"},
	{PeerLeft, "a peer's lease is over or was released"},
	{PeerMoved, "a peer advertises another address, or has another subnet"},
	{PathChanged, "packets to a peer take another path"},
	{PathLost, "a peer does not answer on a path any more"},
	{PathBack, "a peer answers on that path again"},
	{PathSlower, "round trips to a peer take more than three times as long as in the minutes before"},
	{Config, "the network config in force; a config that is missing or cannot be used"},
	{ConfigChanged, "a key of the network config has another value"},
	{Uplink, "the interface and addresses through which peers are reached"},
	{Lease, "this host's lease: held, lost, another subnet, none yet"},
	{Key, "this host's key for WireGuard is being replaced: in use, known to peers"},
	{Draining, "a previous network or subnet is routed until its leases expire, or is not any more"},
	{Drift, "another program changed or removed an object, and weft restored it"},
	{Repaired, "weft restored an object without a report of the kernel who changed it"},
	{Applied, "weft applied a changed plan"},
	{Kernel, "the kernel is not in the desired state, or is again"},
	{Problem, "something that weft works around"},
	{Solved, "a problem is over"},
	{Store, "which store is used; it is unreachable, or answers again"},
	{Other, "all else; the message tells it"},
}
