package owned

import (
	"regexp"
	"strings"
)

// What flanneld makes in a firewall. It goes once an agent serves the network:
// see Scope.Abandoned.
var (
	flannelChains = map[string]string{"filter": "FLANNEL-FWD", "nat": "FLANNEL-POSTRTG"}
	flannelTables = map[string]string{"ip": "flannel-ipv4", "ip6": "flannel-ipv6"}
)

// FlannelChain returns the name of flanneld's chain in a table of iptables, ""
// if it makes none there.
func FlannelChain(table string) string { return flannelChains[table] }

// IsFlannelTable reports whether an nftables table is flanneld's, family "ip"
// or "ip6".
func IsFlannelTable(family, name string) bool { return name != "" && flannelTables[family] == name }

// IsFlannel reports whether a table or chain of any family has a name of
// flanneld's.
func IsFlannel(name string) bool {
	return strings.HasPrefix(name, "FLANNEL-") || name == flannelTables["ip"] || name == flannelTables["ip6"]
}

// flannelDevice is the form of the names of the devices that flannel's other
// backends make: udp, ipip and wireguard.
var flannelDevice = regexp.MustCompile(`^flannel([0-9]+|\.ipip|-wg(-v6)?)$`)

// IsFlannelDevice reports whether a device of that name is what another backend
// of flannel's than vxlan made.
func IsFlannelDevice(name string) bool { return flannelDevice.MatchString(name) }
