package netconf

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

const (
	// DefaultPort is the UDP port of a vxlan backend that names none: the
	// Linux kernel's, which is older than the assigned 4789.
	DefaultPort = 8472

	defaultVNI = 1
	maxVNI     = 1<<24 - 1 // 24 bits, RFC 7348

	minMTU   = 576  // what every IPv4 host takes, RFC 791
	minMTUv6 = 1350 // 1280, the least of an IPv6 link (RFC 8200), in VXLAN over IPv6
	maxMTU   = 65535
)

// backends has what reads the keys of each backend, by its name. A new backend
// is one more line here, and one in package plan.
var backends = map[string]func(o *object, ipv6 bool, b *Backend){
	"alloc":     func(*object, bool, *Backend) {},
	"vxlan":     func(o *object, ipv6 bool, b *Backend) { b.VXLAN = parseVXLAN(o, ipv6) },
	"host-gw":   func(*object, bool, *Backend) {},
	"ipip":      func(o *object, ipv6 bool, b *Backend) { b.IPIP = parseIPIP(o, ipv6) },
	"wireguard": func(o *object, ipv6 bool, b *Backend) { b.WireGuard = parseWireGuard(o, ipv6) },
}

// foreign are the backends that only flannel has.
var foreign = []string{"extension", "ipsec", "tencent-vpc", "udp"}

// choice lists the backends as a message does: `"a", "b" or "c"`.
func choice() string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(backends)) {
		names = append(names, strconv.Quote(name))
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// parseBackend reads the Backend object. It also returns the keys in it that
// are unknown to a backend of that type. An absent Backend is vxlan.
func parseBackend(o *object, ipv6 bool) (Backend, []string) {
	raw := o.take("Backend")
	if raw == nil {
		raw = []byte(`{"Type": "vxlan"}`)
	}
	if raw[0] != '{' {
		o.refuse("Backend", raw, `must be an object, such as {"Type": "vxlan"}`)
		return Backend{}, nil
	}
	in := newObject("Backend.", raw)
	b := Backend{Type: backendType(in)}
	if parse, ok := backends[b.Type]; ok {
		parse(in, ipv6, &b)
	}
	o.include(in)
	return b, in.rest()
}

func backendType(o *object) string {
	good := len(o.errs)
	written := o.string("Type", "must be "+choice())
	name := strings.ToLower(written)
	_, known := backends[name]
	switch {
	case len(o.errs) > good || known:
	case name == "":
		o.refuse("Type", "is missing", "must be %s", choice())
	case slices.Contains(foreign, name):
		o.refuse("Type", name, `is a backend of flannel that weft does not support; use "vxlan", "wireguard" to encrypt, or "host-gw" where all hosts share one segment`)
	default:
		o.refuse("Type", shorten([]byte(strings.ToValidUTF8(written, "?"))), "unknown backend; must be %s", choice())
	}
	return name
}

func parseVXLAN(o *object, ipv6 bool) VXLAN {
	leastMTU := uint64(minMTU)
	if ipv6 {
		leastMTU = minMTUv6
	}
	return VXLAN{
		VNI:           uint32(o.uint("VNI", defaultVNI, 1, maxVNI, false)),
		Port:          uint16(o.uint("Port", DefaultPort, 1, 65535, true)),
		MTU:           int(o.uint("MTU", 0, leastMTU, maxMTU, true)),
		GBP:           o.bool("GBP", false),
		Learning:      o.bool("Learning", false),
		DirectRouting: o.bool("DirectRouting", false),
	}
}

func parseIPIP(o *object, ipv6 bool) IPIP {
	onlyIPv4(o, "ipip", ipv6)
	return IPIP{DirectRouting: o.bool("DirectRouting", false)}
}

// onlyIPv4 refuses a backend that carries packets of IPv4 alone where there are others.
func onlyIPv4(o *object, name string, ipv6 bool) {
	if ipv6 {
		o.refuse("Type", name, `carries IPv4 alone; set EnableIPv6 to false, or use "vxlan"`)
	}
}
