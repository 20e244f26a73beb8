package api

import (
	"net/netip"
	"time"
)

// Status is the state of an agent: the body of GET /v1/status and of
// `weft status -o json`. Fields are only ever added.
type Status struct {
	Version  string         `json:"version"`
	Started  time.Time      `json:"started,omitzero"`
	Hostname string         `json:"hostname"`
	Network  []netip.Prefix `json:"network"`
	Former   []netip.Prefix `json:"formerNetworks,omitempty"` // previous networks that are draining: routed until their leases expire
	Backend  string         `json:"backend"`                  // "vxlan", "host-gw"
	Direct   bool           `json:"directRouting"`            // vxlan or ipip with DirectRouting
	Revision int64          `json:"revision"`                 // store revision of the plan

	Generation uint64      `json:"generation"` // of the desired state
	Uplink     Uplink      `json:"uplink"`
	Lease      Lease       `json:"lease"`
	Peers      []Peer      `json:"peers"`               // sorted by subnet
	Checksums  []Checksum  `json:"checksums,omitempty"` // of packets that leave by tunnels, by device
	Problems   []Problem   `json:"problems"`
	Store      StoreState  `json:"store"`
	Change     Change      `json:"change"`
	Pass       Pass        `json:"pass"`
	Counts     Counts      `json:"counts"`
	Answers    string      `json:"answersAt,omitempty"`  // address and port at which agents of other hosts can ask this one; absent if they cannot
	GuardDrops *uint64     `json:"guardDrops,omitempty"` // packets by the tunnel's port that were no peer's; nil: there is no guard, or it cannot be read
	Encryption *Encryption `json:"encryption,omitempty"` // nil: this host has no encrypted tunnel
	FastPath   *FastPath   `json:"fastPath,omitempty"`   // nil: packets between pods take the kernel's own path
	State      State       `json:"state"`
	Ready      bool        `json:"ready"`              // not StateNotReady
	NotReady   string      `json:"notReady,omitempty"` // why, when not
}

// State is how an agent does as a whole.
type State string

// The states of an agent.
const (
	StateReady    State = "ready"
	StateDegraded State = "degraded" // this host can be reached, but there is a problem of severity warning
	StateNotReady State = "notReady"
)

// Uplink is the interface through which peers are reached.
type Uplink struct {
	Name   string       `json:"name"`
	MTU    int          `json:"mtu"` // bytes
	Addrs  []netip.Addr `json:"addrs"`
	Reason string       `json:"reason"`
	Others []string     `json:"others,omitempty"` // addresses that were not chosen, each with its interface

	OnLink []netip.Prefix `json:"onLink,omitempty"` // what is directly connected to the interface
}

// Lease is this host's own lease.
type Lease struct {
	Subnets  []netip.Prefix `json:"subnets"`
	Public   []netip.Addr   `json:"public"`
	MTU      int            `json:"mtu"`              // bytes, as in subnet.env
	Draining []netip.Prefix `json:"drains,omitempty"` // previous subnets of this host, routed until their leases expire
	Reserved bool           `json:"reserved,omitempty"`
	Held     bool           `json:"held"`
	Expires  time.Time      `json:"expires,omitzero"` // unless it is renewed; absent if never, or not known yet
}

// Peer is another host's lease, and how packets to it travel now.
type Peer struct {
	Name    string         `json:"name,omitempty"`    // the host's; absent if it does not say, as flanneld
	Version string         `json:"version,omitempty"` // of its agent
	Subnets []netip.Prefix `json:"subnets"`
	Public  []netip.Addr   `json:"public"`
	Backend string         `json:"backend"` // as the peer announces it
	Paths   []Path         `json:"paths"`
	Others  []Path         `json:"otherPaths,omitempty"` // that could be used and are not
	Problem string         `json:"problem,omitempty"`
	OnLink  []netip.Prefix `json:"onLink,omitempty"` // what is directly connected to its uplink; absent if it does not say
}

// Path is how packets to one subnet of a peer travel.
type Path struct {
	Subnet netip.Prefix `json:"subnet"`
	Kind   string       `json:"kind"` // "direct", "vxlan", "ipip", ..., "none"
	Via    netip.Addr   `json:"via,omitzero"`
	Dev    string       `json:"dev,omitempty"`
	Reach  Reach        `json:"reach,omitzero"` // absent if the path is not probed
}

// Reach is what probes have shown of a path.
type Reach struct {
	State    ReachState    `json:"state"`
	Since    time.Time     `json:"since,omitzero"`      // of the state; absent if unmeasured
	Answered time.Time     `json:"lastAnswer,omitzero"` // absent if there was none
	Loss     float64       `json:"loss"`                // share of probes without an answer in the last minutes, from 0 to 1
	RTT      time.Duration `json:"rttNanoseconds"`      // of late; 0 if there was no answer
	MTU      int           `json:"mtu,omitempty"`       // bytes: the largest packet that passes, if that is less than the full size
}

// ReachState is what probes say of a path.
type ReachState string

// The states of a path.
const (
	ReachUnmeasured ReachState = "unmeasured"
	ReachPasses     ReachState = "passes"
	ReachLost       ReachState = "lost"
)

// Checksum is what the self-test has shown of packets that leave by a tunnel with
// a checksum that the hardware is to complete.
type Checksum struct {
	Device    string        `json:"device"` // of the tunnel
	State     ChecksumState `json:"state"`
	Tested    time.Time     `json:"tested,omitzero"` // last, since the agent started; absent if no peer has told by now
	Arrive    bool          `json:"arrive"`          // packets that were tested last did
	Peer      netip.Prefix  `json:"peer,omitzero"`   // if broken: to which packets were lost
	Protocols string        `json:"protocols,omitempty"`
	Since     time.Time     `json:"since,omitzero"` // when it was found
}

// ChecksumState is what is known of such checksums.
type ChecksumState string

// The states.
const (
	ChecksumUntested ChecksumState = "untested"
	ChecksumSound    ChecksumState = "sound"
	ChecksumBroken   ChecksumState = "broken" // so tx-checksumming of the device is off
)

// Problem is a fault that weft works around and an operator should fix.
type Problem struct {
	Subject  string   `json:"subject"` // the peer's subnet, an object, a store key
	Message  string   `json:"message"`
	Severity Severity `json:"severity"`
}

// Severity is what a problem does to the agent's state.
type Severity string

// The severities of problems.
const (
	SeverityError   Severity = "error"   // the agent is not ready
	SeverityWarning Severity = "warning" // some packets are lost, or can be: the agent is degraded
	SeverityNote    Severity = "note"    // no packet is lost: the state is as if there were none
)

// Change is how far the network has followed the config. Done is Total when no
// change is under way.
type Change struct {
	Done   int      `json:"done"`             // hosts that have a subnet and advertise the config's backend, including this one
	Total  int      `json:"total"`            // hosts
	Former []string `json:"former,omitempty"` // backends that this host still accepts for hosts that have not switched
	Behind []Behind `json:"behind,omitempty"` // the hosts that have not switched, sorted by subnet
}

// Behind is a host that has not switched to the config's backend.
type Behind struct {
	Name       string         `json:"name,omitempty"` // as in Peer
	Subnets    []netip.Prefix `json:"subnets"`
	Advertises string         `json:"advertises"` // the backend, in a few words
}

// StoreState is the state of the agent's connection to its store.
type StoreState struct {
	Kind     string         `json:"kind"` // "etcd", "embedded", "kubernetes"
	Up       bool           `json:"up"`
	Since    time.Time      `json:"since,omitzero"`
	Error    string         `json:"error,omitempty"`
	Requests map[string]int `json:"requests,omitempty"` // made since the start, by verb, where that is counted
}

// Pass is the last reconcile pass.
type Pass struct {
	At         time.Time     `json:"at,omitzero"` // absent before the first
	Generation uint64        `json:"generation"`  // of the desired state that it went by
	Took       time.Duration `json:"tookNanoseconds"`
	Rows       int           `json:"rows"`    // wanted
	Changed    int           `json:"changed"` // operations carried out
	Failed     int           `json:"failed"`
}
