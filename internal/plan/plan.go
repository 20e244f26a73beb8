// Package plan computes the network state a host should have from the network
// config, the host's facts, its own lease and its peers' leases. It is pure:
// the same input gives the same state. Build computes everything anew; a
// Planner gives the same answers at the cost of what has changed. The package
// must not look at the system, a store or a clock.
package plan

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
	"github.com/weft-net/weft/internal/plan/firewall"
	"github.com/weft-net/weft/internal/plan/vxlan"
)

// Input is all that a plan depends on.
type Input struct {
	Net       netconf.Network
	Host      host.Facts
	Self      lease.Lease        // as announced, or about to be
	Spare     bool               // the present tunnel device has the spare name: a former one with its VNI came first
	Former    []Former           // what was announced before and peers may still go by
	Draining  []netip.Prefix     // draining subnets: this host's previous ones, which peers still send to
	Previous  []netconf.Previous // previous networks, in which there still are leases
	Peers     lease.Set          // everybody else; a lease of Self's subnets is passed over
	Hosts     lease.HostSet      // what hosts say of themselves: the keys of those that do not encrypt yet
	Proofs    Proofs             // of the paths to peers
	Checksums []Checksum         // one a family at most; those of another kernel or uplink have no effect

	Firewall firewall.Options
}

// Foreign reports whether l, one of Peers, is another host's. So a snapshot's
// leases need not be copied to take this host's own out.
func (in *Input) Foreign(l *lease.Lease) bool { return !slices.Equal(l.Subnets, in.Self.Subnets) }

// Former is a previous announcement of this host, made under an earlier
// config.
type Former struct {
	Backend netconf.Backend
	Attrs   lease.Attrs
	Sends   bool // peers that announce its VNI are still sent to by its port: they may not have opened the present one
	Spare   bool // its device has the spare name
}

// Problem is a fault of one peer, or of the host itself, that the plan works
// around. One bad peer never stands in the way of the rest.
type Problem struct {
	Subject string // the peer's subnets, as people read them, or the part of the host
	Err     error
	Peer    bool // of a peer; one host can have many of them
	Note    bool // worth knowing, but no packet is lost for it
}

// Error names the subject.
func (p Problem) Error() string { return fmt.Sprintf("%s: %v", p.Subject, p.Err) }

// Unwrap returns Err.
func (p Problem) Unwrap() error { return p.Err }

// Build returns the state that in calls for, and what had to be left out of it:
// problems sorted by subject and text. If no state can be made, because rows
// contradict each other, it is nil, and a last problem says why; what was in
// force before should stay.
func Build(in Input) (*netstate.State, []Problem) {
	d := draw(in)
	return d.state, d.allProblems()
}

// tunnels are this host's of one family; of two with one VNI that which is
// sent by comes first.
type tunnels []*vxlan.Tunnel

// receive adds what the host needs to be reached as it announces and as it
// announced before, and returns its tunnels by family.
func receive(s *netstate.Builder, in *Input) (map[netconf.Family]tunnels, []Problem) {
	all := map[netconf.Family]tunnels{}
	var problems []Problem
	for _, r := range in.Net.Ranges {
		for _, e := range in.ends() {
			f := r.Family()
			t, err := tunnel(in, f, e)
			switch {
			case err == nil && e.Sends:
				all[f] = append(tunnels{t}, all[f]...)
			case err == nil:
				all[f] = append(all[f], t)
			case e.present:
				problems = append(problems, Problem{Subject: "this host", Err: err})
			}
			if err == nil {
				t.Receive(s)
			}
		}
		problems = append(problems, checksums(s, in, r.Family(), all[r.Family()])...)
	}
	return all, problems
}

// end is an end of a tunnel on this host.
type end struct {
	Former
	present bool
}

// ends returns this host's ends of tunnels, the present one first. Of two with
// one VNI only one has the name that goes with it.
func (in *Input) ends() []end {
	var out []end
	for i, f := range in.announcements() {
		e := end{Former: f, present: i == 0}
		twice := false
		for _, o := range out {
			same := o.Backend.VXLAN.VNI == f.Backend.VXLAN.VNI
			e.Spare = e.Spare || same && !o.Spare
			twice = twice || same && o.Backend.VXLAN.Port == f.Backend.VXLAN.Port
		}
		if f.Backend.Type == VXLAN && !twice {
			out = append(out, e)
		}
	}
	return out
}

// device names this host's end of the tunnel.
func (e end) device(f netconf.Family) string {
	if e.Spare {
		return owned.SpareDeviceName(f, e.Backend.VXLAN.VNI, e.Backend.VXLAN.Port)
	}
	return owned.DeviceName(f, e.Backend.VXLAN.VNI)
}

// sendsBy names the device by which packets leave for peers that announce vni.
func (in *Input) sendsBy(f netconf.Family, vni uint32) string {
	name := ""
	for _, e := range in.ends() {
		if e.Backend.VXLAN.VNI == vni && (name == "" || e.Sends) {
			name = e.device(f)
		}
	}
	return name
}

// find returns the tunnel to send by to peers with the given VNI, or nil.
func (t tunnels) find(vni uint32) *vxlan.Tunnel {
	for _, one := range t {
		if one.Conf.VNI == vni {
			return one
		}
	}
	return nil
}
