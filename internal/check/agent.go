package check

import (
	"slices"
	"strings"
	"time"

	"github.com/weft-net/weft/internal/api"
)

func agent(f *Facts) []Result {
	s := &f.Status
	switch {
	case !f.Agent:
		return one("agent", Failed, "start it with 'weft up' or 'systemctl start weft'", "%s", f.AgentErr)
	case s.State == api.StateNotReady:
		return one("agent", Failed, "docs/guides/troubleshoot.md explains the reasons", "%s is not ready: %s", s.Version, firstLine(s.NotReady))
	case s.Version != f.Version:
		return one("agent", Warning, "restart the agent after an upgrade: systemctl restart weft", "%s runs, and this program is %s", s.Version, f.Version)
	}
	return one("agent", OK, "", "%s is %s", s.Version, s.State)
}

// maxSkew is how far two clocks may be apart: certificates are valid by the clock, and the
// times of events of two hosts are compared.
const maxSkew = 10 * time.Second

func clock(f *Facts) []Result {
	switch skew := f.Skew.Abs(); {
	case f.SkewErr != "":
		return one("clock", Skipped, "", "not compared with the store's: %s", f.SkewErr)
	case skew > maxSkew:
		return one("clock", Failed, "synchronize the clocks of this host and the store's: timedatectl set-ntp true",
			"%s apart from the store's: certificates may count as not valid yet or no longer", skew)
	}
	return one("clock", OK, "", "within %s of the store's", max(f.Skew.Abs(), time.Second))
}

func store(f *Facts) []Result {
	s := f.Status.Store
	switch {
	case !f.Agent:
		return one("store", Skipped, "", "no agent is connected to it")
	case !s.Up:
		return one("store", Failed, "check that it runs and that this host reaches it; existing traffic is not affected", "%s is unreachable: %s", s.Kind, firstLine(s.Error))
	}
	return one("store", OK, "", "%s answers", s.Kind)
}

func lease(f *Facts) []Result {
	l := f.Status.Lease
	switch {
	case len(l.Subnets) == 0:
		return one("lease", Failed, "'weft status' says what the agent waits for", "this host has no subnet")
	case !f.Agent:
		return one("lease", Failed, "start the agent before the lease expires", "%s is not renewed by any agent", join(l.Subnets))
	case !l.Held:
		return one("lease", Failed, "'weft status' and 'weft events' say why", "%s is not confirmed by the store", join(l.Subnets))
	}
	return one("lease", OK, "", "%s, advertised as %s", join(l.Subnets), join(l.Public))
}

func uplink(f *Facts) []Result {
	u := f.Status.Uplink
	l, found := f.Kernel.Link(u.Name)
	switch {
	case u.Name == "":
		return one("uplink", Failed, "name the interface with --iface", "no interface was chosen")
	case !found:
		return one("uplink", Failed, "restore the interface, or name another with --iface", "interface %s is gone", u.Name)
	case !l.Up || !l.Carrier:
		return one("uplink", Failed, "ip link set "+u.Name+" up; check the cable", "%s is down or has no carrier", u.Name)
	}
	for _, a := range u.Addrs {
		if f.Kernel.Owner(a) == "" {
			return one("uplink", Failed, "restore the address; the agent advertises another within moments", "%s has no address %s", u.Name, a)
		}
	}
	return one("uplink", OK, "", "%s with %s, MTU %d", u.Name, join(u.Addrs), l.MTU)
}

// problems are those that the agent itself reports.
func problems(f *Facts) (out []Result) {
	for _, p := range f.Status.Problems {
		state := map[api.Severity]State{api.SeverityError: Failed, api.SeverityWarning: Failed, api.SeverityNote: Warning}[p.Severity]
		isPeer := slices.ContainsFunc(f.Status.Peers, func(peer api.Peer) bool { return peer.Problem != "" && peer.Problem == p.Message })
		isChecksum := slices.ContainsFunc(f.Status.Checksums, func(c api.Checksum) bool { return c.State == api.ChecksumBroken && c.Device == p.Subject })
		if !isPeer && !isChecksum { // has a result of its own
			out = append(out, Result{Name: "problem", State: state, Text: p.Subject + ": " + strings.Join(strings.Fields(p.Message), " ")})
		}
	}
	return out
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func join[T interface{ String() string }](list []T) string {
	var out []string
	for _, one := range list {
		out = append(out, one.String())
	}
	return strings.Join(out, ", ")
}
