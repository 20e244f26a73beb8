package codec

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
)

// sizeofRuleHeader is the size of struct fib_rule_hdr of linux/fib_rules.h.
const sizeofRuleHeader = 12

// Rule is a rule of the routing policy database (linux/fib_rules.h).
type Rule struct {
	Family           uint8
	Action           uint8  // FR_ACT_*
	Flags            uint32 // FIB_RULE_*
	Priority, Table  uint32
	Target           uint32       // of FR_ACT_GOTO
	Src, Dst         netip.Prefix // invalid: any
	In, Out          string       // devices; "": any
	Mark, Mask       uint32
	TOS              bool  // it asks for a type of service, or DSCP
	Tunnel           bool  // for a tunnel id
	Proto            uint8 // IPPROTO_*; 0: any
	Ports            bool  // it asks for ports
	VRF              bool  // the table is that of the VRF that the packet is in (FRA_L3MDEV)
	Users            bool  // it asks for users
	FirstUser        uint32
	SuppressedLength int32 // routes to prefixes up to this length are passed over; -1: none
}

// fraDSCP is FRA_DSCP of linux/fib_rules.h (since 6.13).
const fraDSCP = 25

// DecodeRule reads RTM_NEWRULE and RTM_DELRULE.
func DecodeRule(m rtnl.Message) (Rule, bool) {
	head, attrs, ok := m.Header(sizeofRuleHeader)
	if !ok || head[0] != unix.AF_INET && head[0] != unix.AF_INET6 {
		return Rule{}, false
	}
	r := Rule{
		Family: head[0], TOS: head[3] != 0, Table: uint32(head[4]), Action: head[7],
		Flags: native.Uint32(head[8:]), SuppressedLength: -1,
	}
	for a := range attrs.All() {
		r.decode(a, int(head[1]), int(head[2]))
	}
	if r.Mark != 0 && r.Mask == 0 {
		r.Mask = ^uint32(0)
	}
	return r, true
}

func (r *Rule) decode(a rtnl.Attr, dstLen, srcLen int) {
	switch a.Type {
	case unix.FRA_DST:
		r.Dst = netip.PrefixFrom(a.Addr(), dstLen).Masked()
	case unix.FRA_SRC:
		r.Src = netip.PrefixFrom(a.Addr(), srcLen).Masked()
	case unix.FRA_IIFNAME:
		r.In = a.String()
	case unix.FRA_OIFNAME:
		r.Out = a.String()
	case unix.FRA_PRIORITY:
		r.Priority = a.Uint32()
	case unix.FRA_TABLE:
		r.Table = a.Uint32()
	case unix.FRA_GOTO:
		r.Target = a.Uint32()
	case unix.FRA_FWMARK:
		r.Mark = a.Uint32()
	case unix.FRA_FWMASK:
		r.Mask = a.Uint32()
	case unix.FRA_L3MDEV:
		r.VRF = a.Uint8() != 0
	case unix.FRA_SUPPRESS_PREFIXLEN:
		r.SuppressedLength = int32(a.Uint32())
	case unix.FRA_UID_RANGE:
		if len(a.Value) >= 4 {
			r.Users, r.FirstUser = true, native.Uint32(a.Value)
		}
	case unix.FRA_TUN_ID:
		r.Tunnel = r.Tunnel || a.Uint64BE() != 0
	case fraDSCP:
		r.TOS = true
	case unix.FRA_IP_PROTO:
		r.Proto = a.Uint8()
	case unix.FRA_SPORT_RANGE, unix.FRA_DPORT_RANGE:
		r.Ports = true
	}
}

// ReadRules calls yield for the rules of a family, in the order in which the
// kernel goes by them. A kernel without them (CONFIG_IP_MULTIPLE_TABLES) has none.
func ReadRules(conn *rtnl.Conn, family uint8, yield func(Rule)) error {
	var b rtnl.Batch
	header := make([]byte, sizeofRuleHeader)
	header[0] = family
	b.Message(unix.RTM_GETRULE, unix.NLM_F_DUMP, header...)
	for m, err := range conn.Dump(&b) {
		switch {
		case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.EAFNOSUPPORT):
			return nil
		case err != nil:
			return fmt.Errorf("list policy rules: %w", err)
		}
		if r, ok := DecodeRule(m); ok && r.Family == family {
			yield(r)
		}
	}
	return nil
}
