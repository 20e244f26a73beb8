package owned

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/weft-net/weft/internal/netconf"
)

// spareName is the form of the names that SpareDeviceName gives.
var spareName = regexp.MustCompile(`^w[46]-[0-9a-f]+-[0-9a-f]+$`)

// IsSpareDeviceName reports whether name may be one of SpareDeviceName.
func IsSpareDeviceName(name string) bool { return spareName.MatchString(name) }

// Names of WireGuard devices, which are flannel's.
const (
	WireGuard   = "flannel-wg"
	WireGuardV6 = "flannel-wg-v6" // of IPv6 where each family has one
)

// IPIP is the name of the ipip device, which is flannel's.
const IPIP = "flannel.ipip"

// WireGuardDevices are all names of WireGuard devices.
var WireGuardDevices = []string{WireGuard, WireGuardV6}

// deviceName is the form of the names of devices.
var deviceName = regexp.MustCompile(`^(flannel(-v6)?\.[0-9]+|flannel\.ipip|flannel-wg(-v6)?|w[46]-[0-9a-f]+-[0-9a-f]+)$`)

// IsDeviceName reports whether a tunnel device of that name may be an agent's,
// or flanneld's: its addresses tell.
func IsDeviceName(name string) bool { return deviceName.MatchString(name) }

// DeviceName returns the name of the vxlan device for a VNI, which flannel
// gives as well: "flannel.1" or "flannel-v6.1" for VNI 1.
func DeviceName(f netconf.Family, vni uint32) string {
	number := strconv.FormatUint(uint64(vni), 10)
	if f == netconf.V6 {
		return "flannel-v6." + number
	}
	return "flannel." + number
}

// SpareDeviceName returns the name of a device while another one with its VNI
// and another port has the plain name: "w4-1-2118" or "w6-1-2118" for VNI 1
// and port 8472. Both numbers are hexadecimal, since names have 15 characters at most (IFNAMSIZ of
// linux/if.h).
func SpareDeviceName(f netconf.Family, vni uint32, port uint16) string {
	return fmt.Sprintf("w%d-%x-%x", f, vni, port)
}

// tableName is the form of the names that nftables tables of weft's have. An
// operator may give any such name to one.
var tableName = regexp.MustCompile(`^weft(\.[0-9a-z-]{1,24})?$`)

// IsTableName reports whether an nftables table of that name may be an
// agent's: its rules tell. nft(8) takes such names without quotes.
func IsTableName(name string) bool { return tableName.MatchString(name) }

// NamedTable returns the name of the nftables table of an agent's network that
// has a name; up to 24 small letters, digits and hyphens.
func NamedTable(network string) string { return "weft." + network }

// TableName returns the name of the nftables table for a VNI, one per agent:
// "weft", or "weft.5" for a VNI other than 1.
func TableName(vni uint32) string {
	if vni > 1 {
		return "weft." + strconv.FormatUint(uint64(vni), 10)
	}
	return "weft"
}
