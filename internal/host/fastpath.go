package host

import "net/netip"

// FastPath is what planning knows of a way for packets between pods past the
// kernel's routing and firewall. The zero FastPath was not asked for.
type FastPath struct {
	Asked      bool
	Code       string    // which programs there are
	Missing    string    // why this host cannot run them; "": it can
	Inspectors []Barrier // chains whose rules do something else to packets than to let them through or not, with those rules; sorted
	Pods       []Pod     // sorted by address
	Bridges    []PodBridge
}

// PodBridge is a bridge behind which there are pods of this host, and nothing else.
type PodBridge struct {
	Dev     string
	MTU     int            // bytes
	Subnets []netip.Prefix // that its addresses are in; masked, sorted
	Shaped  bool           // something delays, drops or observes packets at the bridge itself (tc(8)); at its ports it does no harm
}

// Pod is a pod of this host behind a veth.
type Pod struct {
	Addr   netip.Addr
	Dev    string // the host's end
	MAC    [6]byte
	Via    [6]byte // of the host's end
	MTU    int     // bytes
	Shaped bool    // something delays or drops packets at the host's end (tc(8)), or observes them there
}
