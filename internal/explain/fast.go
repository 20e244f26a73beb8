package explain

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/weft-net/weft/internal/netstate"
)

// fastSubject is that of the plan's problem which says why the fast path is not there, or
// not for all connections.
const fastSubject = "fast path"

// The packets that take the kernel's path though their connection is carried by programs.
const exceptPackets = "except fragments, packets with IP options or of the last hop, larger than %d bytes, or of connections that began on the kernel's path"

// fastPath tells whether programs carry packets between a container of this host and a
// peer's past the stations that follow. Of a host that has no fast path, and was not
// asked for one, nothing is said.
func (t *trace) fastPath() {
	near, far := t.packet.src, t.packet.dst
	if t.place(far).Kind != PeerSubnet {
		near, far = far, near
	}
	if t.Plan == nil || t.place(near).Kind != Container || t.place(far).Kind != PeerSubnet {
		return
	}
	var path netstate.FastPath
	for path = range t.Plan.Fast.Paths.All() {
		break // an agent has one
	}
	if path.Name == "" {
		if why := t.noFastPath(); why != "" {
			t.kernelsPath(why)
		}
		return
	}
	mtu, known := t.fastPod(path.Name, near)
	remote, reached := netstate.FastRemote{}, false
	for r := range t.Plan.Fast.Remotes.All() {
		if r.Dst.Contains(far) && (!reached || r.Dst.Bits() > remote.Dst.Bits()) {
			remote, reached = r, true
		}
	}
	switch {
	case t.translated:
		t.kernelsPath("its destination is translated")
	case !known:
		t.kernelsPath(near.String() + " is neither a pod of CNI type weft without bandwidth limits nor on a bridge that programs know")
	case !reached:
		t.kernelsPath("programs cannot carry packets to " + t.place(far).Subnet.String() + " as they travel")
	case t.packet.proto != protoTCP && t.packet.proto != protoUDP:
		t.kernelsPath("it is neither TCP nor UDP")
	default:
		t.add(Station{Name: "fast path", Object: path.String(), Note: t.carried(path.Mode) + fmt.Sprintf(exceptPackets, min(mtu, remote.MTU))})
	}
}

// fastPod returns the MTU of a container that programs know, by itself or by its bridge.
func (t *trace) fastPod(path string, addr netip.Addr) (mtu int, known bool) {
	if pod, ok := t.Plan.Fast.Pods.Find(netstate.FastPod{Path: path, Addr: addr}); ok {
		return pod.MTU, true
	}
	for b := range t.Plan.Fast.Bridges.All() {
		if b.Path == path && b.Dst.Contains(addr) {
			return b.MTU, true
		}
	}
	return 0, false
}

// carried says which packets programs carry in a mode.
func (t *trace) carried(mode string) string {
	if mode == netstate.FastAll {
		return "eBPF programs carry it, in place of routing, firewall and tunnel; "
	}
	text := "eBPF programs carry it once its connection is established, in place of routing, firewall and tunnel; "
	if why := t.noFastPath(); why != "" {
		text += why + "; "
	}
	return text
}

func (t *trace) kernelsPath(why string) {
	t.add(Station{Name: "fast path", Object: "none", Note: "the packet takes the kernel's path: " + why})
}

// noFastPath returns what the agent says of the fast path, "" if there is nothing to say.
func (t *trace) noFastPath() string {
	for _, p := range t.Status.Problems {
		if p.Subject == fastSubject {
			_, why, _ := strings.Cut(p.Message, ": ")
			why, _, _ = strings.Cut(why, "; see the guide")
			return why
		}
	}
	return ""
}
