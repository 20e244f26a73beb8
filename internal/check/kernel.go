package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
)

func kernelFeatures(f *Facts) (out []Result) {
	if why := f.Kernel.Firewall.Absent; why != "" {
		return one("kernel", Failed, "run it as root; on the host: modprobe nf_tables", "%s: the firewall cannot be read: %s", f.Kernel.Release, firstLine(why))
	}
	return one("kernel", OK, "", "%s with nf_tables", f.Kernel.Release)
}

// parameters are those that a host needs whatever it runs: weft sets those of its own devices.
func parameters(f *Facts) (out []Result) {
	for _, fam := range families(f) {
		name := host.Forwarding(fam)
		if value, known := f.Kernel.Params[name]; known && value != "1" {
			out = append(out, one("parameters", Failed, "sysctl -w "+name+"=1", "%s=%s: this host does not forward packets", name, value)...)
		}
		limit, _ := strconv.Atoi(f.Kernel.Params[host.NeighLimit(fam)])
		if used := resolved(f, fam); limit > 0 && used*10 >= limit*9 {
			out = append(out, one("parameters", Failed, fmt.Sprintf("sysctl -w %s=%d", host.NeighLimit(fam), 4*limit), "%s=%d, of which %d are used", host.NeighLimit(fam), limit, used)...)
		}
	}
	used, _ := strconv.Atoi(f.Kernel.Params["net/netfilter/nf_conntrack_count"])
	if limit, _ := strconv.Atoi(f.Kernel.Params[host.ConnLimit]); limit > 0 && used*10 >= limit*9 {
		out = append(out, one("parameters", Failed, fmt.Sprintf("sysctl -w %s=%d", host.ConnLimit, 2*limit), "%s=%d, of which %d are used: new connections are dropped", host.ConnLimit, limit, used)...)
	}
	if len(out) == 0 {
		out = one("parameters", OK, "", "packets are forwarded, and no limit is near")
	}
	return out
}

// resolved counts the neighbours that the kernel's limit is for.
func resolved(f *Facts, fam netconf.Family) (n int) {
	for _, one := range f.Kernel.Neighs {
		if one.State != "permanent" && netconf.FamilyOf(one.Addr) == fam {
			n++
		}
	}
	return n
}

// families are those of the network.
func families(f *Facts) (out []netconf.Family) {
	for _, n := range f.Status.Network {
		if fam := netconf.FamilyOf(n.Addr()); !slices.Contains(out, fam) {
			out = append(out, fam)
		}
	}
	return out
}

// maxDrift is how many differences are named.
const maxDrift = 3

func objects(f *Facts) []Result {
	switch {
	case f.PlanErr != "":
		return one("objects", Failed, "'weft status' says what the agent waits for", "the plan is not known: %s", firstLine(f.PlanErr))
	case f.Plan == nil:
		return one("objects", Skipped, "", "the plan is not known")
	case len(f.Drift) == 0:
		return one("objects", OK, "", "%s as planned", count(f.Plan.Len(), "object"))
	}
	remedy := "the agent repairs them; if they come again, 'weft events' names who changes them"
	if !f.Agent {
		remedy = "the agent repairs them: start it with 'weft up' or 'systemctl start weft'"
	}
	text := count(len(f.Drift), "difference") + " between kernel and plan"
	for i, d := range f.Drift {
		if i == maxDrift {
			text += "; ... (weft plan --diff shows all)"
			break
		}
		text += "; " + d
	}
	return one("objects", Failed, remedy, "%s", text)
}

// overhead is what VXLAN adds to a packet by the family of the underlay, in bytes.
func overhead(underlay netip.Addr) int {
	if underlay.Is6() {
		return 70
	}
	return 50
}

func mtu(f *Facts) (out []Result) {
	if f.Plan == nil || f.Status.Lease.MTU == 0 {
		return one("mtu", Skipped, "", "the plan is not known")
	}
	for l := range f.Plan.Links.All() {
		lower, found := f.Kernel.Link(l.Dev)
		if l.Kind == netstate.KindVXLAN && found && l.MTU+overhead(l.Local) > lower.MTU {
			out = append(out, one("mtu", Failed, fmt.Sprintf("weft config set Backend.MTU=%d", lower.MTU),
				"packets of %s do not fit %s: %d and %d bytes of VXLAN in %d", l.Name, l.Dev, l.MTU, overhead(l.Local), lower.MTU)...)
		}
	}
	for _, b := range bridges(f) {
		if limit := f.Status.Lease.MTU; limit > 0 && b.MTU > limit {
			out = append(out, one("mtu", Failed, "give the container runtime the MTU of subnet.env, and recreate the containers",
				"bridge %s has MTU %d, the network's is %d: large packets are lost or fragmented", b.Name, b.MTU, limit)...)
		}
	}
	out = append(out, narrow(f)...)
	if len(out) == 0 {
		out = one("mtu", OK, "", "%d bytes for containers%s", f.Status.Lease.MTU, measured(f))
	}
	return out
}

// narrow says which MTU would fit all paths, if probes have found one that does not
// carry packets of full size. Routes by such paths have an MTU of their own.
func narrow(f *Facts) []Result {
	least, name, n := 0, "", 0
	for _, p := range f.Status.Peers {
		for _, path := range p.Paths {
			if m := path.Reach.MTU; m > 0 {
				n++
				if least == 0 || m < least {
					least, name = m, nameOf(p)
				}
			}
		}
	}
	if n == 0 {
		return nil
	}
	return one("mtu", Warning, fmt.Sprintf("weft config set Backend.MTU=%d fits all, once containers are created anew; or raise the MTU of what lies between", least+tunnelOverhead(f)),
		"packets of more than %d bytes do not pass to %s (%s); its route has that MTU, and TCP keeps to it", least, name, count(n, "path"))
}

// tunnelOverhead is the most that a tunnel of this host adds to a packet, in bytes.
func tunnelOverhead(f *Facts) (over int) {
	for l := range f.Plan.Links.All() {
		if l.Kind == netstate.KindVXLAN {
			over = max(over, overhead(l.Local))
		}
	}
	return over
}

// measured says what probes have shown of that size.
func measured(f *Facts) string {
	for _, p := range f.Status.Peers {
		for _, path := range p.Paths {
			if path.Reach.State == api.ReachPasses {
				return ", and no path is known to carry less"
			}
		}
	}
	return "; the underlay's real MTU is not measured"
}
