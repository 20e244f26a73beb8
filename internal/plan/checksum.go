package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
)

// Checksum says that checksums of tunnelled packets arrive wrong when the kernel
// leaves them to the hardware that sends the packet: a self-test has shown it of
// this host's tunnel in one family, to one peer. It is a fault of the sender, and
// so counts for all peers.
type Checksum struct {
	Family netconf.Family `json:"family"`
	Peer   netip.Prefix   `json:"peer"` // subnet of the peer that the test went to
	UDP    bool           `json:"udp"`  // whose packets were lost
	TCP    bool           `json:"tcp"`
	Since  time.Time      `json:"since"` // when it was found, in full seconds

	Sender
}

// Sender is what completes the checksums of a host's packets.
type Sender struct {
	Uplink string `json:"uplink"`
	Kernel string `json:"kernel"` // release
}

// SenderOf returns that of a host.
func SenderOf(h host.Facts) Sender { return Sender{h.Uplink.Name, h.Params[host.Release]} }

// Holds reports whether c still says something of a host: another kernel, or
// another uplink, may do better.
func (c Checksum) Holds(h host.Facts) bool { return c.Sender == SenderOf(h) }

// Protocols names whose packets were lost.
func (c Checksum) Protocols() string {
	switch {
	case c.UDP && c.TCP:
		return "UDP and TCP"
	case c.UDP:
		return "UDP"
	}
	return "TCP"
}

// checksum returns what holds for the tunnels of a family.
func (in *Input) checksum(f netconf.Family) (Checksum, bool) {
	i := slices.IndexFunc(in.Checksums, func(c Checksum) bool { return c.Family == f && c.Holds(in.Host) })
	if i < 0 {
		return Checksum{}, false
	}
	return in.Checksums[i], true
}

// checksums has the kernel complete the checksums of what leaves by this host's
// tunnels of a family, if hardware does it wrongly, and says so.
func checksums(s *netstate.Builder, in *Input, f netconf.Family, all tunnels) []Problem {
	c, broken := in.checksum(f)
	if !broken || len(all) == 0 {
		return nil
	}
	for _, t := range all {
		s.Offloads = append(s.Offloads, netstate.Offload{Dev: t.Name})
	}
	return []Problem{{Subject: all[0].Name, Note: true, Err: fmt.Errorf(
		"%s packets to %s were lost when their checksum was left to the hardware (offload) and arrived when the kernel had computed it, so tx-checksumming is off on this device; "+
			"see whether another kernel, driver or firmware of %s is free of the fault", c.Protocols(), c.Peer, c.Uplink)}}
}
