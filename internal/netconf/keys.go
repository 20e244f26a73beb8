package netconf

import (
	"slices"
	"strings"
)

// Keys are all keys of the document, as the documentation spells them; those
// of an inner object follow its name and a dot.
var Keys = []string{
	"EnableIPv4", "EnableIPv6", "EnableNFTables",
	"Network", "SubnetLen", "SubnetMin", "SubnetMax",
	"IPv6Network", "IPv6SubnetLen", "IPv6SubnetMin", "IPv6SubnetMax",
	"Backend.Type", "Backend.VNI", "Backend.Port", "Backend.MTU", "Backend.GBP", "Backend.Learning", "Backend.DirectRouting",
	"Backend.ListenPort", "Backend.ListenPortV6", "Backend.PSK", "Backend.PersistentKeepaliveInterval", "Backend.Mode", "Backend.Strict",
	"Backend.Name", "Backend.MacPrefix", // of flannel on Windows
	"Guard", "Masquerade.Except", "Masquerade.Inbound", "Probe.Interval", "PeerPort", "FastPath",
}

// KnownKey returns the usual spelling of key, which is compared without regard
// to case; "" if it is unknown.
func KnownKey(key string) string {
	i := slices.IndexFunc(Keys, func(k string) bool { return strings.EqualFold(k, key) })
	if i < 0 {
		return ""
	}
	return Keys[i]
}

// sortOut parts the keys that nobody read into those that are unknown and
// those of another backend.
func sortOut(rest []string) (unknown, unused []string) {
	for _, key := range rest {
		if KnownKey(key) == "" {
			unknown = append(unknown, key)
		} else {
			unused = append(unused, key)
		}
	}
	return unknown, unused
}
