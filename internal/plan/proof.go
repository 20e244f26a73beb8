package plan

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/sorted"
)

// Verdict is what probes say of a path.
type Verdict uint8

// The verdicts. A path whose other end never answers is Unmeasured: many hosts
// do not answer to anybody.
const (
	Unmeasured Verdict = iota
	Passes
	Lost
)

// String is the verdict in a word.
func (v Verdict) String() string { return [...]string{"unmeasured", "passes", "lost"}[v] }

// Proof is what probes have shown of one path to a peer.
type Proof struct {
	Subnets []netip.Prefix // the lease's
	Family  netconf.Family
	Kind    Kind
	Verdict Verdict
	MTU     int // bytes: the largest packet that passes; 0: as large as the network's MTU
}

// Proofs are what probes have shown; a path without one is Unmeasured. Those of
// peers that are not there have no effect.
type Proofs = sorted.Set[Proof]

// Compare orders by identity: lease, family and kind of path.
func (p Proof) Compare(o Proof) int {
	return cmp.Or(lease.CompareSubnets(p.Subnets, o.Subnets), cmp.Compare(p.Family, o.Family), cmp.Compare(p.Kind, o.Kind))
}

// Same reports whether p and o say the same of the same path.
func (p Proof) Same(o Proof) bool {
	return p.Compare(o) == 0 && p.Verdict == o.Verdict && p.MTU == o.MTU
}

// shown is what a Proof says.
type shown struct {
	verdict Verdict
	mtu     int32
}

// proven is what probes have shown of the paths to one subnet of a peer.
type proven struct{ direct, tunnelled shown }

func (in *Input) proven(l *lease.Lease, f netconf.Family) proven {
	if in.Proofs.Len() == 0 {
		return proven{}
	}
	find := func(k Kind) shown {
		p, _ := in.Proofs.Find(Proof{Subnets: l.Subnets, Family: f, Kind: k})
		return shown{p.Verdict, int32(p.MTU)}
	}
	return proven{direct: find(Direct), tunnelled: find(backends[l.Backend].kind)}
}

func (p proven) of(k Kind) shown {
	if k == Direct {
		return p.direct
	}
	return p.tunnelled
}

// choose returns the path to take, of the preferred one and those beside it:
// the first that is not lost, if it passes. Where nothing is proven, and where
// all is lost, that is the preferred one.
func (p proven) choose(in *Input, path Path, subnet netip.Prefix) Path {
	if path.Kind == Direct && path.Beside != "" && p.direct.verdict == Lost && p.tunnelled.verdict == Passes {
		path = path.tunnelled(in, subnet)
	}
	path.MTU = int(p.of(path.Kind).mtu)
	return path
}

// silent reports whether a peer answers by none of its paths, of which path is
// one.
func (p proven) silent(path *Path) bool {
	if path.Kind == Direct && path.Beside != "" {
		return p.direct.verdict == Lost && p.tunnelled.verdict != Passes
	}
	return p.of(path.Kind).verdict == Lost
}

// path returns the path to p's subnet, of which Dev may be left out.
func (in *Input) path(p *peer, f netconf.Family) (Path, error) {
	path, err := pathTo(in, p.Lease, f)
	if err != nil {
		return path, err
	}
	return p.proven.choose(in, path, p.subnet), nil
}

// shortcomings returns the faults of each kind that probes can show of path, those
// without an error that are none. There are none without a path, and none where
// sending tells why it is not used; of a peer of which nothing is proven, none is
// listed.
func (p *peer) shortcomings(f netconf.Family, path *Path, sending error) []fault {
	if p.proven == (proven{}) {
		return nil // as of nearly all
	}
	var errs [3]error
	if path != nil && sending == nil {
		if p.proven.silent(path) {
			errs[0] = fmt.Errorf("does not answer any more; see whether its host runs and what drops packets to it: weft explain %s; %s", p.subnet.Addr(), ifGone(p.Lease))
		}
		if path.Instead {
			errs[1] = errors.New("does not answer on the direct path any more, so its packets travel in the tunnel; see what drops packets between containers of the two hosts on their segment")
		}
		if path.MTU > 0 {
			errs[2] = fmt.Errorf("packets of more than %d bytes do not pass, so its route has this MTU; raise the MTU of what lies between, or set Backend.MTU of the network config", path.MTU)
		}
	}
	return []fault{p.fault(f, silent, errs[0]), p.fault(f, detouring, errs[1]), p.fault(f, narrow, errs[2])}
}
