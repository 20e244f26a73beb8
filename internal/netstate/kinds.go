package netstate

// Kinds is a set of kinds of objects.
type Kinds uint16

// The kinds. All that the firewall keeps is one.
const (
	LinkKind Kinds = 1 << iota
	OffloadKind
	SysctlKind
	AddrKind
	NeighKind
	FDBKind
	PeerKind // with Allowed
	RouteKind
	FastKind
	FirewallKind

	AllKinds = LinkKind | OffloadKind | SysctlKind | AddrKind | NeighKind | FDBKind | PeerKind | RouteKind | FastKind | FirewallKind
)

// Has reports whether any of o is among k.
func (k Kinds) Has(o Kinds) bool { return k&o != 0 }

// KindsWith returns the kinds that may have changed when r has: its own, and
// with a device all that stands on devices.
func KindsWith(r Row) Kinds {
	switch r.(type) {
	case Link:
		return AllKinds &^ FirewallKind &^ FastKind
	case Offload:
		return OffloadKind
	case Sysctl:
		return SysctlKind
	case Addr: // IPv6 addresses go when a parameter turns IPv6 off, and cannot come back before it is on again
		return AddrKind | SysctlKind
	case Neigh:
		return NeighKind
	case FDB:
		return FDBKind
	case Peer, Allowed:
		return PeerKind
	case Route:
		return RouteKind
	case FastPath, FastRemote, FastPod, FastBridge, FastHook:
		return FastKind
	}
	return FirewallKind
}

// Replaced returns s with the tables of kinds as o has them.
func (s *State) Replaced(kinds Kinds, o *State) *State {
	out := *s
	if kinds.Has(LinkKind) {
		out.Links = o.Links
	}
	if kinds.Has(OffloadKind) {
		out.Offloads = o.Offloads
	}
	if kinds.Has(SysctlKind) {
		out.Sysctls = o.Sysctls
	}
	if kinds.Has(AddrKind) {
		out.Addrs = o.Addrs
	}
	if kinds.Has(NeighKind) {
		out.Neighs = o.Neighs
	}
	if kinds.Has(FDBKind) {
		out.FDB = o.FDB
	}
	if kinds.Has(PeerKind) {
		out.Peers, out.Allowed = o.Peers, o.Allowed
	}
	if kinds.Has(RouteKind) {
		out.Routes = o.Routes
	}
	if kinds.Has(FastKind) {
		out.Fast = o.Fast
	}
	if kinds.Has(FirewallKind) {
		out.Firewall = o.Firewall
	}
	return &out
}
