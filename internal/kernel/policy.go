package kernel

import (
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netconf"
)

// readPolicy returns the policy rules of both families.
func readPolicy(conn *rtnl.Conn) (out []host.PolicyRule, err error) {
	for _, f := range netconf.Families {
		err := codec.ReadRules(conn, afOf(f), func(r codec.Rule) { out = append(out, policyRule(f, r)) })
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// policyRule is r in the words of package host. What the kernel has packets of
// tunnels and of containers routed with: no TOS, no tunnel id, user root.
func policyRule(f netconf.Family, r codec.Rule) host.PolicyRule {
	return host.PolicyRule{
		Family: f, Priority: r.Priority, Not: r.Flags&unix.FIB_RULE_INVERT != 0,
		Src: r.Src, Dst: r.Dst, In: r.In, Out: r.Out, Mark: r.Mark, Mask: r.Mask,
		Special: r.TOS || r.Tunnel || r.Users && r.FirstUser > 0, Proto: r.Proto, Ports: r.Ports, VRF: r.VRF,
		Action: actionOf(r), Table: r.Table, Target: r.Target, Suppress: int(r.SuppressedLength),
	}
}

func actionOf(r codec.Rule) host.PolicyAction {
	switch r.Action {
	case unix.FR_ACT_TO_TBL:
		return host.Lookup
	case unix.FR_ACT_BLACKHOLE, unix.FR_ACT_UNREACHABLE, unix.FR_ACT_PROHIBIT:
		return host.Refuse
	case unix.FR_ACT_GOTO:
		if r.Flags&unix.FIB_RULE_UNRESOLVED == 0 {
			return host.Goto
		}
	}
	return host.Pass
}

// lookedUp returns the tables of a family that rules or VRFs lead to, but for that
// of the host's own addresses.
func lookedUp(f netconf.Family, rules []host.PolicyRule, vrfs map[int32]vrf) map[uint32]bool {
	out := map[uint32]bool{unix.RT_TABLE_MAIN: true, unix.RT_TABLE_DEFAULT: true}
	for _, r := range rules {
		if r.Family == f && r.Action == host.Lookup && r.Table != 0 && r.Table != unix.RT_TABLE_LOCAL {
			out[r.Table] = true
		}
	}
	for _, v := range vrfs {
		out[v.table] = true
	}
	return out
}

// vrf is a device of the kind vrf.
type vrf struct {
	name  string
	table uint32
}

// vrfsOf returns the VRFs among links by index.
func vrfsOf(links []link) map[int32]vrf {
	out := map[int32]vrf{}
	for _, l := range links {
		if l.vrfTable != 0 {
			out[l.index] = vrf{l.Name, l.vrfTable}
		}
	}
	return out
}
