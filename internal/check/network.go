package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/explain"
	"github.com/weft-net/weft/internal/netdump"
	"github.com/weft-net/weft/internal/netstate"
)

// maxPeers is to how many peers the ways are followed.
const maxPeers = 200

// maxNamed is how many peers that fail are named.
const maxNamed = 10

// udpPort follows what each peer sends by the tunnel up to the tunnel.
func udpPort(f *Facts) (out []Result) {
	if !hasTunnel(f) {
		return one("tunnel port", Skipped, "", "the plan has no tunnel")
	}
	doubts := 0
	for _, p := range firstPeers(f) {
		for _, s := range explain.Arrival(f.Facts, p) {
			if s.State == explain.Unknown {
				doubts++
			}
			if s.State == explain.Broken {
				out = append(out, one("tunnel port", Failed, s.Remedy, "packets of %s end at %s: %s: %s", nameOf(p), s.Name, s.Object, s.Note)...)
			}
		}
	}
	switch {
	case len(out) > 0:
		return merged(out)
	case doubts > 0:
		return one("tunnel port", Warning, "'weft explain PEER-SUBNET ADDRESS' names the rules", "rules with conditions that cannot be judged here may stop tunnelled packets")
	}
	return one("tunnel port", OK, "", "no firewall of this host stops the tunnelled packets of %s", count(len(firstPeers(f)), "peer"))
}

func hasTunnel(f *Facts) bool {
	if f.Plan == nil {
		return false
	}
	for l := range f.Plan.Links.All() {
		if l.Kind == netstate.KindVXLAN || l.Kind == netstate.KindIPIP {
			return true
		}
	}
	return false
}

// merged makes one result of those that have the same remedy.
func merged(all []Result) (out []Result) {
	for _, r := range all {
		same := slices.ContainsFunc(out, func(o Result) bool { return o.Remedy == r.Remedy })
		if !same {
			out = append(out, r)
		}
	}
	return out
}

func firstPeers(f *Facts) []api.Peer { return f.Status.Peers[:min(len(f.Status.Peers), maxPeers)] }

// peers follows packets to each peer's subnets.
func peers(f *Facts) (out []Result) {
	lookup := func(q netdump.Question) (netdump.Answer, error) { return f.Kernel.Lookup(q), nil }
	for _, p := range firstPeers(f) {
		if p.Problem != "" {
			out = append(out, one("peer", Failed, "docs/guides/troubleshoot.md lists what to do", "%s: %s", nameOf(p), p.Problem)...)
			continue
		}
		for _, subnet := range p.Subnets {
			src, ok := ownAddr(f, subnet)
			if !ok {
				continue
			}
			way, err := explain.Explain(f.Facts, explain.Query{Src: src, Dst: subnet.Addr().Next().Next()}, lookup)
			if s, broken := way.Broken(); broken && err == nil {
				out = append(out, one("peer", Failed, s.Remedy, "%s: packets to %s end at %s: %s: %s", nameOf(p), subnet, s.Name, s.Object, s.Note)...)
			}
		}
	}
	if len(out) > maxNamed {
		more := len(out) - maxNamed
		out = append(out[:maxNamed], one("peer", Failed, "'weft status' lists all peers", "and %s", fmt.Sprintf("%d more", more))...)
	}
	if len(out) > 0 {
		return out
	}
	which := ""
	if len(f.Status.Peers) > maxPeers {
		which = "the first "
	}
	return one("peers", OK, "", "the ways to %s%s are as planned; %s", which, count(len(firstPeers(f)), "peer"), answers(f))
}

// answers says how many peers answer probes.
func answers(f *Facts) string {
	probed, passing := 0, 0
	for _, p := range f.Status.Peers {
		for _, path := range p.Paths {
			if path.Reach.State != "" {
				probed++
			}
			if path.Reach.State == api.ReachPasses {
				passing++
			}
		}
	}
	if probed == 0 {
		return "whether packets arrive is not measured"
	}
	return fmt.Sprintf("%d of %d paths answer probes", passing, probed)
}

// ownAddr returns the address that this host advertises, of a subnet's family.
func ownAddr(f *Facts, subnet netip.Prefix) (netip.Addr, bool) {
	for _, a := range slices.Concat(f.Status.Uplink.Addrs, f.Status.Lease.Public) {
		if a.Is4() == subnet.Addr().Is4() && f.Kernel.Owner(a) != "" {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// addresses looks for addresses that several hosts advertise, and subnets that overlap.
func addresses(f *Facts) (out []Result) {
	owners := map[netip.Addr]string{}
	for _, a := range f.Status.Lease.Public {
		owners[a] = "this host"
	}
	for _, p := range f.Status.Peers {
		for _, a := range p.Public {
			if other := owners[a]; other != "" {
				out = append(out, one("addresses", Failed, "give one of them another address, or release the lease of one that is gone: weft lease release "+subnets(p),
					"%s is advertised by %s and by %s", a, other, nameOf(p))...)
			}
			owners[a] = nameOf(p)
		}
	}
	if len(out) == 0 {
		out = one("addresses", OK, "", "no address is advertised twice")
	}
	return out
}

// bridges are the devices other than tunnels by which containers of the network are reached.
func bridges(f *Facts) (out []netdump.Link) {
	for _, a := range f.Kernel.Addrs {
		l, found := f.Kernel.Link(a.Dev)
		inside := slices.ContainsFunc(f.Status.Network, func(n netip.Prefix) bool { return n.Contains(a.Prefix.Addr()) })
		known := slices.ContainsFunc(out, func(o netdump.Link) bool { return o.Name == l.Name })
		if found && inside && !known && l.Kind == "bridge" {
			out = append(out, l)
		}
	}
	return out
}

// containers compares the container runtimes' bridges with the lease.
func containers(f *Facts) (out []Result) {
	own := slices.Concat(f.Status.Lease.Subnets, f.Status.Lease.Draining)
	if len(own) == 0 {
		return one("containers", Skipped, "", "this host has no subnet")
	}
	by := map[netip.Prefix][]string{}
	for _, b := range bridges(f) {
		for _, a := range f.Kernel.Addrs {
			inside := slices.ContainsFunc(f.Status.Network, func(n netip.Prefix) bool { return n.Contains(a.Prefix.Addr()) })
			if a.Dev != b.Name || !inside {
				continue
			}
			i := slices.IndexFunc(own, func(s netip.Prefix) bool { return s.Contains(a.Prefix.Addr()) })
			if i < 0 {
				out = append(out, one("containers", Failed, "configure the container runtime with the subnet of subnet.env and restart it ('weft docker configure --restart' for Docker)",
					"bridge %s has %s, and this host's subnet is %s", b.Name, a.Prefix, join(own))...)
			} else if !slices.Contains(by[own[i]], b.Name) {
				by[own[i]] = append(by[own[i]], b.Name)
			}
		}
	}
	for _, s := range slices.SortedFunc(maps.Keys(by), netip.Prefix.Compare) {
		if names := by[s]; len(names) > 1 {
			out = append(out, one("containers", Failed, "only one container runtime may use the subnet", "subnet %s is on %s", s, strings.Join(names, " and "))...)
		}
	}
	if len(out) == 0 && len(bridges(f)) == 0 {
		return one("containers", Skipped, "", "no bridge of a container runtime has an address in the network")
	}
	if len(out) == 0 {
		out = one("containers", OK, "", "%s has the subnet of this host", strings.Join(slices.Sorted(maps.Keys(named(by))), ", "))
	}
	return out
}

// named are all names of the lists.
func named(by map[netip.Prefix][]string) map[string]bool {
	out := map[string]bool{}
	for _, names := range by {
		for _, name := range names {
			out[name] = true
		}
	}
	return out
}

func versions(f *Facts) []Result {
	of := map[string]int{}
	for _, p := range f.Status.Peers {
		version := p.Version
		if version == "" {
			version = "flanneld, or unknown"
		}
		of[version]++
	}
	var words []string
	for _, version := range slices.Sorted(maps.Keys(of)) {
		words = append(words, count(of[version], "peer")+" with "+version)
	}
	own := f.Status.Version
	switch {
	case len(words) == 0:
		return one("versions", Skipped, "", "there are no peers")
	case len(words) > 1 || f.Agent && of[own] == 0:
		return one("versions", Warning, "mixed versions work together; finish the upgrade when it suits", "%s", strings.Join(words, ", "))
	}
	return one("versions", OK, "", "%s", words[0])
}

func nameOf(p api.Peer) string {
	if p.Name != "" {
		return p.Name
	}
	return subnets(p)
}

func subnets(p api.Peer) string { return join(p.Subnets) }
