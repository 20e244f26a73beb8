package ptp

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/weft-net/weft/internal/cni/ipam"
	"github.com/weft-net/weft/internal/kernel/podlink"
)

// hostPrefix begins the names of all devices that the type creates on a host.
const hostPrefix = "weft"

// linkOf returns the link of an owner without MTU and addresses. Names and
// MACs are derived from the owner alone, so that DEL finds the device without
// a record. The name has 55 bits of the hash: two equal names on one host are
// not to be expected, and the second ADD would fail.
func linkOf(o ipam.Owner) podlink.Link {
	sum := sha256.Sum256([]byte(o.ContainerID + ":" + o.IfName))
	text := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))
	return podlink.Link{
		Host: hostPrefix + text[:15-len(hostPrefix)], HostMAC: macOf(sum[16:]),
		Pod: o.IfName, PodMAC: macOf(sum[24:]),
		Alias: "pod " + o.ContainerID + " " + o.IfName,
	}
}

// macOf returns a MAC that is locally administered and of one device
// (IEEE 802, the two low bits of the first byte).
func macOf(random []byte) podlink.MAC {
	m := podlink.MAC(random[:6])
	m[0] = m[0]&^1 | 2
	return m
}
