package netconf

import "net/netip"

// rangeKeys are the keys of one family as written, before they are
// compared.
type rangeKeys struct {
	family    Family
	network   netip.Prefix // the zero value if absent, here and below
	subnetLen int
	min, max  netip.Addr
	ok        bool // every key has the right form
}

// keyPrefix is what the keys of family f start with.
func keyPrefix(f Family) string {
	if f == V6 {
		return "IPv6"
	}
	return ""
}

// readRange takes the keys of family f out of o. It is done for a family that
// is switched off as well: a value of a wrong form is an error there, too.
func readRange(o *object, f Family) rangeKeys {
	k, pre, good := rangeKeys{family: f}, keyPrefix(f), len(o.errs)
	k.network, _ = o.prefix(pre+"Network", f)
	k.subnetLen = int(o.uint(pre+"SubnetLen", 0, 1, uint64(f.Bits()), true)) // checkLen is stricter
	k.min, _ = o.addr(pre+"SubnetMin", f)
	k.max, _ = o.addr(pre+"SubnetMax", f)
	k.ok = len(o.errs) == good
	return k
}

// check compares the keys, fills in the defaults and returns
// the range; ok is false if something was refused.
func (k rangeKeys) check(o *object) (r Range, ok bool) {
	pre, good := keyPrefix(k.family), len(o.errs)
	if !k.network.IsValid() {
		o.refuse(pre+"Network", "is missing", "with Enable%s it must be given, such as %q", ipName(k.family), examples[k.family].network)
		return Range{}, false
	}
	if !k.checkNetwork(o, pre) || !k.checkLen(o, pre) {
		return Range{}, false
	}
	r = Range{Network: k.network, SubnetLen: k.subnetLen}
	if r.SubnetLen == 0 {
		r.SubnetLen = defaultLen(k.network, k.family)
	}
	one := uint128{lo: 1}.shl(r.shift())
	first := number(k.network.Addr()).add(one) // the network's own address is not in any subnet
	last := number(lastAddr(k.network)).sub(one).add(uint128{lo: 1})
	r.Min = k.checkEnd(o, r, pre+"SubnetMin", k.min, first.addr(k.family))
	r.Max = k.checkEnd(o, r, pre+"SubnetMax", k.max, last.addr(k.family))
	if r.Max.Less(r.Min) && len(o.errs) == good {
		o.refuse(pre+"SubnetMax", r.Max, "must not be below %sSubnetMin, %s", pre, r.Min)
	}
	return r, len(o.errs) == good
}

// special are the prefixes that an overlay cannot use: addresses in them do
// not travel, or mean something else to the kernel.
var special = map[Family][]netip.Prefix{
	V4: {
		netip.MustParsePrefix("0.0.0.0/8"),          // this network, RFC 1122
		netip.MustParsePrefix("127.0.0.0/8"),        // loopback, RFC 1122
		netip.MustParsePrefix("169.254.0.0/16"),     // link-local, RFC 3927
		netip.MustParsePrefix("224.0.0.0/4"),        // multicast, RFC 5771
		netip.MustParsePrefix("255.255.255.255/32"), // broadcast, RFC 919
	},
	V6: {
		netip.MustParsePrefix("::/96"),         // unspecified, loopback, IPv4-compatible, RFC 4291
		netip.MustParsePrefix("::ffff:0:0/96"), // IPv4-mapped, RFC 4291
		netip.MustParsePrefix("fe80::/10"),     // link-local, RFC 4291
		netip.MustParsePrefix("ff00::/8"),      // multicast, RFC 4291
	},
}

func (k rangeKeys) checkNetwork(o *object, pre string) bool {
	if most := k.family.Bits() - 4; k.network.Bits() > most {
		o.refuse(pre+"Network", k.network, "is too small: it must be a /%d or larger, to hold four subnets of four addresses", most)
		return false
	}
	for _, s := range special[k.family] {
		if s.Overlaps(k.network) {
			o.refuse(pre+"Network", k.network, "overlaps %s, which cannot be used for containers; take a private network such as %q", s, examples[k.family].network)
			return false
		}
	}
	return true
}

// checkLen compares the subnet length with the network: at least four subnets
// of at least four addresses, as the first one is not given out by default.
func (k rangeKeys) checkLen(o *object, pre string) bool {
	least, most := k.network.Bits()+2, k.family.Bits()-2
	if k.subnetLen == 0 || least <= k.subnetLen && k.subnetLen <= most {
		return true
	}
	o.refuse(pre+"SubnetLen", k.subnetLen, "must be from %d to %d, so that %s holds four subnets of four addresses or more", least, most, k.network)
	return false
}

func defaultLen(network netip.Prefix, f Family) int {
	usual := 24
	if f == V6 {
		usual = 64
	}
	return max(usual, network.Bits()+2)
}

// checkEnd returns the first or last subnet's address, absent if it is not given.
func (k rangeKeys) checkEnd(o *object, r Range, key string, a, absent netip.Addr) netip.Addr {
	switch {
	case a == netip.Addr{}:
		return absent
	case !k.network.Contains(a):
		o.refuse(key, a, "must lie in the network %s", k.network)
	case a != r.Subnet(a).Addr():
		o.refuse(key, a, "must be the first address of a /%d subnet, here %s", r.SubnetLen, r.Subnet(a).Addr())
	}
	return a
}

func ipName(f Family) string {
	if f == V4 {
		return "IPv4"
	}
	return "IPv6"
}
