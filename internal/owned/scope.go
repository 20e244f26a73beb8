package owned

import (
	"net/netip"
	"slices"
)

// Scope says which objects of a host an agent answers for, so that two agents
// for two networks leave each other's alone. It needs no memory of single
// objects: see its methods.
type Scope struct {
	Networks []netip.Prefix // overlay CIDRs served now or before
	Links    []string       // names of devices wanted now or before
	Sysctls  []string       // names of the parameters to read
	Tables   []string       // names of nftables tables wanted now or before; fast paths have the same
	Pods     bool           // it matters which pods there are on the host
}

// Equal reports whether both scopes ask for the same objects, written in the
// same order.
func (s Scope) Equal(o Scope) bool {
	return slices.Equal(s.Networks, o.Networks) && slices.Equal(s.Links, o.Links) && slices.Equal(s.Sysctls, o.Sysctls) &&
		slices.Equal(s.Tables, o.Tables) && s.Pods == o.Pods
}

// Holds reports whether p lies within one of the scope's networks.
func (s Scope) Holds(p netip.Prefix) bool {
	return slices.ContainsFunc(s.Networks, func(n netip.Prefix) bool {
		return n.Bits() <= p.Bits() && n.Contains(p.Addr())
	})
}

// holdsAny reports whether any of prefixes lies within one of the scope's
// networks.
func (s Scope) holdsAny(prefixes []netip.Prefix) bool { return slices.ContainsFunc(prefixes, s.Holds) }

// Device reports whether a tunnel device is the agent's: it is wanted, or it
// has one of weft's names and an address in one of the networks. So are the
// global addresses, permanent neighbours and permanent forwarding entries that stand on it.
func (s Scope) Device(name string, addrs []netip.Prefix) bool {
	return slices.Contains(s.Links, name) || IsDeviceName(name) && s.holdsAny(addrs)
}

// Table reports whether an nftables table of family inet is the agent's, with
// all that is in it: it is wanted, or it has one of weft's names and rules
// about one of the networks. about are the prefixes that its rules match.
func (s Scope) Table(name string, about []netip.Prefix) bool {
	return slices.Contains(s.Tables, name) || IsTableName(name) && s.holdsAny(about)
}

// WithTables returns s with further tables that were found to be the agent's.
func (s Scope) WithTables(names ...string) Scope {
	s.Tables = slices.Concat(s.Tables, names)
	return s
}

// HookRule reports whether a rule in somebody else's chain is the agent's: its
// comment is the name of a table of the agent's, or of any of weft's while the
// rule matches one of the networks.
func (s Scope) HookRule(comment string, about []netip.Prefix) bool {
	return IsTableName(comment) && (slices.Contains(s.Tables, comment) || s.holdsAny(about))
}

// Abandoned reports whether a chain or table that flanneld has left may go:
// all that its rules match lies in the networks, or is multicast.
func (s Scope) Abandoned(about []netip.Prefix) bool {
	return !slices.ContainsFunc(about, func(p netip.Prefix) bool { return !s.Holds(p) && !p.Addr().IsMulticast() })
}
