package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/netstate"
)

// Mark is a packet to be sent that is known again on the wire where it travels in
// clear, and what became of it.
type Mark struct {
	Source, Dest netip.Addr
	Peer         string // whom it is for

	Answered bool
	Clear    []string // the devices on which its bytes were seen in clear
}

// Marks returns the packets that show whether what is to be encrypted is: one to each subnet
// of each peer that is reached encrypted, and one to wherever a more specific route in such
// a subnet leads. hidden are the devices that see packets before they are encrypted.
func Marks(f *Facts) (marks []Mark, hidden []string) {
	for _, l := range f.Kernel.Links {
		if l.Kind == netstate.KindWireGuard {
			hidden = append(hidden, l.Name)
		}
	}
	for _, p := range firstPeers(f) {
		for _, path := range p.Paths {
			source, ok := sourceFor(f, path.Subnet)
			if path.Kind != pathEncrypted || !ok {
				continue
			}
			for _, to := range destinations(f, path.Subnet) {
				marks = append(marks, Mark{Source: source, Dest: to, Peer: nameOf(p)})
			}
		}
	}
	return marks, hidden
}

// pathEncrypted is the kind of a path by WireGuard.
const pathEncrypted = "wireguard"

// sourceFor is this host's address in its own subnet, as far as it has one.
func sourceFor(f *Facts, to netip.Prefix) (netip.Addr, bool) {
	for _, s := range f.Status.Lease.Subnets {
		if s.Addr().Is4() == to.Addr().Is4() && f.Kernel.Owner(s.Addr()) != "" {
			return s.Addr(), true
		}
	}
	return netip.Addr{}, false
}

// destinations are the addresses of a subnet to which packets may take different ways.
func destinations(f *Facts, subnet netip.Prefix) []netip.Addr {
	out := []netip.Addr{subnet.Addr()}
	for _, r := range f.Kernel.Routes {
		if subnet.Contains(r.Dst.Addr()) && r.Dst.Bits() > subnet.Bits() && !slices.Contains(out, r.Dst.Addr()) {
			out = append(out, r.Dst.Addr())
		}
	}
	return out
}

// encryption tells what became of marked packets. There is nothing to tell where nothing
// promises encryption.
func encryption(f *Facts) (out []Result) {
	e := f.Status.Encryption
	if e == nil || f.Status.Backend != pathEncrypted && e.Encrypted == 0 {
		return nil
	}
	var silent []string
	for _, m := range f.Marks {
		switch {
		case len(m.Clear) > 0:
			out = append(out, one("encryption", Failed, "'ip route get "+m.Dest.String()+"' shows which route they take; remove it if it is not weft's ('weft status --problems')",
				"%s: packets to %s, or their answers, travel in clear: seen on %s", m.Peer, m.Dest, strings.Join(m.Clear, ", "))...)
		case !m.Answered && !slices.Contains(silent, m.Peer):
			silent = append(silent, m.Peer)
		}
	}
	if len(out) > maxNamed {
		more := len(out) - maxNamed
		out = append(out[:maxNamed], one("encryption", Failed, "'weft status' lists all peers", "and %d more", more)...)
	}
	switch {
	case len(out) > 0:
		return out
	case f.MarksErr != "":
		return one("encryption", Skipped, "", "no marked packets were sent: %s", firstLine(f.MarksErr))
	case f.MarksMissed > 0:
		return one("encryption", Warning, "run it again when there is less traffic", "%d frames came too fast to be looked at, so that nothing is proven", f.MarksMissed)
	case len(silent) > 0:
		return one("encryption", Warning, "'weft explain' to the peer shows its last handshake", "marked packets are not seen in clear, but were not answered by %s", few(silent))
	}
	return encryptedPeers(f)
}

// encryptedPeers says what was proven, and of whom.
func encryptedPeers(f *Facts) []Result {
	e := f.Status.Encryption
	answered := map[string]bool{}
	for _, m := range f.Marks {
		answered[m.Peer] = true
	}
	text := fmt.Sprintf("marked packets to %s were answered, and their bytes are not seen in clear on any device", count(len(answered), "peer"))
	if len(answered) == 0 {
		text = "no peer is reached encrypted yet"
	}
	if rest := e.Peers - e.Encrypted; rest > 0 && f.Status.Backend == pathEncrypted {
		what := "packets to them travel in clear"
		if e.Strict {
			what = "packets to them are refused"
		}
		return one("encryption", Warning, "'weft status' names the hosts that have not switched to wireguard", "%s; %d of %d peers are not reached encrypted: %s", text, rest, e.Peers, what)
	}
	return one("encryption", OK, "", "%s", text)
}

// few names the first of names, and counts the others.
func few(names []string) string {
	if len(names) <= maxDrift {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxDrift], ", "), len(names)-maxDrift)
}
