package netstate

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
)

// Fast is the part of a State that carries packets between pods past the
// kernel's routing and firewall: eBPF programs, what they know, and where they
// are attached.
type Fast struct {
	Paths   Table[FastPath]
	Remotes Table[FastRemote]
	Pods    Table[FastPod]
	Bridges Table[FastBridge]
	Hooks   Table[FastHook]
}

// Modes of a FastPath.
const (
	FastAll         = "all"         // every flow that connection tracking does not know
	FastEstablished = "established" // those that it has seen in both directions
)

// FastPath is an agent's programs in the kernel, with their constants,
// identified by name.
type FastPath struct {
	Name  string // that of the agent's nftables table
	Mode  string
	Dev   string     // the uplink
	Local netip.Addr // of this end of the tunnel; invalid: there is none
	VNI   uint32
	Port  uint16 // UDP
	MAC   MAC    // of this end of the tunnel
	Code  string // tells which programs they are
}

func (p FastPath) Compare(o FastPath) int { return strings.Compare(p.Name, o.Name) }

// String renders e.g. "fastpath weft mode all dev eth0 vni 1 local 10.4.7.21
// port 8472 mac 0a:4f:76:eb:12:f5 code 3f2a91bc5d6e7f80".
func (p FastPath) String() string {
	tunnel := ""
	if p.Local.IsValid() {
		tunnel = fmt.Sprintf(" vni %d local %s port %d mac %s", p.VNI, p.Local, p.Port, p.MAC)
	}
	return fmt.Sprintf("fastpath %s mode %s dev %s%s code %s", p.Name, p.Mode, p.Dev, tunnel, p.Code)
}

// FastRemote is a remote subnet that the programs of a FastPath know,
// identified by both.
type FastRemote struct {
	Path string
	Dst  netip.Prefix // masked
	Host netip.Addr   // public address of the subnet's host
	MAC  MAC          // of its end of the tunnel; zero: the path is direct
	MTU  int          // bytes: the largest packet of a pod that is taken
}

func (r FastRemote) Compare(o FastRemote) int {
	return cmp.Or(strings.Compare(r.Path, o.Path), comparePrefix(r.Dst, o.Dst))
}

// String renders e.g. "fastremote weft 172.7.24.0/24 host 10.4.8.24 mac
// 32:11:d5:cd:3b:c9 mtu 1450".
func (r FastRemote) String() string {
	mac := ""
	if r.MAC != (MAC{}) {
		mac = " mac " + r.MAC.String()
	}
	return fmt.Sprintf("fastremote %s %s host %s%s mtu %d", r.Path, r.Dst, r.Host, mac, r.MTU)
}

// FastPod is a pod of this host that the programs of a FastPath know,
// identified by both.
type FastPod struct {
	Path string
	Addr netip.Addr
	Dev  string // the host's end of its veth
	MAC  MAC    // of the pod's end
	Via  MAC    // of the host's end
	MTU  int    // of the veth, bytes
}

func (p FastPod) Compare(o FastPod) int {
	return cmp.Or(strings.Compare(p.Path, o.Path), p.Addr.Compare(o.Addr))
}

// String renders e.g. "fastpod weft 172.7.21.7 dev weft3x mac 02:00:00:00:00:01
// via 02:00:00:00:00:02 mtu 1450".
func (p FastPod) String() string {
	return fmt.Sprintf("fastpod %s %s dev %s mac %s via %s mtu %d", p.Path, p.Addr, p.Dev, p.MAC, p.Via, p.MTU)
}

// FastBridge is a bridge of containers that the programs of a FastPath know,
// identified by the path and by what of this host's subnet is on the bridge.
type FastBridge struct {
	Path string
	Dst  netip.Prefix // masked
	Dev  string
	MTU  int // bytes
}

func (b FastBridge) Compare(o FastBridge) int {
	return cmp.Or(strings.Compare(b.Path, o.Path), comparePrefix(b.Dst, o.Dst))
}

// String renders e.g. "fastbridge weft 172.7.21.0/24 dev cni0 mtu 1450".
func (b FastBridge) String() string {
	return fmt.Sprintf("fastbridge %s %s dev %s mtu %d", b.Path, b.Dst, b.Dev, b.MTU)
}

// Points at which programs of a FastPath are attached.
const (
	FastFromPod  = "pod"    // ingress of the host's end of a pod's veth
	FastFromWire = "uplink" // ingress of the uplink
	FastAtBridge = "bridge" // ingress of a bridge of containers: what leaves it to be routed
)

// FastHook attaches a program of a FastPath to a device, identified by all of it.
type FastHook struct {
	Path  string
	Dev   string
	Point string
}

func (h FastHook) Compare(o FastHook) int {
	return cmp.Or(strings.Compare(h.Path, o.Path), strings.Compare(h.Dev, o.Dev), strings.Compare(h.Point, o.Point))
}

// String renders e.g. "fasthook weft eth0 uplink".
func (h FastHook) String() string { return "fasthook " + h.Path + " " + h.Dev + " " + h.Point }

// dropDependents removes what belongs to a FastPath that goes.
func (f *Fast) dropDependents(row Row) {
	path, ok := row.(FastPath)
	if !ok {
		return
	}
	f.Remotes = filter(f.Remotes, func(r FastRemote) bool { return r.Path == path.Name })
	f.Pods = filter(f.Pods, func(p FastPod) bool { return p.Path == path.Name })
	f.Bridges = filter(f.Bridges, func(b FastBridge) bool { return b.Path == path.Name })
	f.Hooks = filter(f.Hooks, func(h FastHook) bool { return h.Path == path.Name })
}

// fast goes over what differs between two fast paths.
func (d *differ) fast(have, want *Fast) {
	diff(d, have.Paths, want.Paths, never[FastPath])
	diff(d, have.Remotes, want.Remotes, never[FastRemote])
	diff(d, have.Pods, want.Pods, never[FastPod])
	diff(d, have.Bridges, want.Bridges, never[FastBridge])
	diff(d, have.Hooks, want.Hooks, never[FastHook])
}

// fastKind returns the word that begins r's line, "" if r is no row of Fast.
func fastKind(r Row) string {
	switch r.(type) {
	case FastPath:
		return "fastpath"
	case FastRemote:
		return "fastremote"
	case FastPod:
		return "fastpod"
	case FastBridge:
		return "fastbridge"
	case FastHook:
		return "fasthook"
	}
	return ""
}

// parseFastRow reads a row of kind; false if that is none of Fast.
func parseFastRow(b *FastBuilder, kind string, w *words) bool {
	switch kind {
	case "fastpath":
		p := FastPath{Name: w.next(), Mode: w.after("mode"), Dev: w.after("dev")}
		if w.has("vni") {
			p.VNI = uint32(take(w, parseUint(24)))
			p.Local = takeAfter(w, "local", netip.ParseAddr)
			p.Port = uint16(takeAfter(w, "port", parseUint(16)))
			p.MAC = takeAfter(w, "mac", ParseMAC)
		}
		p.Code = w.after("code")
		b.Paths = append(b.Paths, p)
	case "fastremote":
		r := FastRemote{Path: w.next(), Dst: take(w, parseMasked), Host: takeAfter(w, "host", netip.ParseAddr)}
		if w.has("mac") {
			r.MAC = take(w, ParseMAC)
		}
		r.MTU = int(takeAfter(w, "mtu", parseUint(31)))
		b.Remotes = append(b.Remotes, r)
	case "fastpod":
		b.Pods = append(b.Pods, FastPod{
			Path: w.next(), Addr: take(w, netip.ParseAddr), Dev: w.after("dev"), MAC: takeAfter(w, "mac", ParseMAC),
			Via: takeAfter(w, "via", ParseMAC), MTU: int(takeAfter(w, "mtu", parseUint(31))),
		})
	case "fastbridge":
		b.Bridges = append(b.Bridges, FastBridge{
			Path: w.next(), Dst: take(w, parseMasked), Dev: w.after("dev"), MTU: int(takeAfter(w, "mtu", parseUint(31))),
		})
	case "fasthook":
		b.Hooks = append(b.Hooks, FastHook{Path: w.next(), Dev: w.next(), Point: w.next()})
	default:
		return false
	}
	return true
}

// FastBuilder is the part of a Builder that concerns the fast path.
type FastBuilder struct {
	Paths   []FastPath
	Remotes []FastRemote
	Pods    []FastPod
	Bridges []FastBridge
	Hooks   []FastHook
}

func (b *FastBuilder) fast() (f Fast, first error) {
	fill(&f.Paths, b.Paths, &first)
	fill(&f.Remotes, b.Remotes, &first)
	fill(&f.Pods, b.Pods, &first)
	fill(&f.Bridges, b.Bridges, &first)
	fill(&f.Hooks, b.Hooks, &first)
	return f, first
}

func (f Fast) builder() FastBuilder {
	return FastBuilder{Paths: f.Paths.Slice(), Remotes: f.Remotes.Slice(), Pods: f.Pods.Slice(), Bridges: f.Bridges.Slice(), Hooks: f.Hooks.Slice()}
}
