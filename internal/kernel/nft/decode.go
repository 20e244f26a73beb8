package nft

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
)

// expression is one expression of a rule as the kernel tells it; the fields
// that its kind does not have are zero.
type expression struct {
	name               string
	key                uint32 // meta, ct
	original           bool   // ct: of the original direction
	base, offset, size uint32 // payload
	op                 uint32 // cmp
	value, mask, xor   []byte // cmp, immediate; bitwise
	set                string // lookup
	flags              uint32 // lookup, masq
	code               int32  // immediate
	chain              string // immediate: where it leads
	kind, family       uint32 // nat
	target             string // target, match: iptables' name for it
	revision           uint32 // match
	info               []byte // match, target: in the form of its revision
	verdicts           bool   // lookup: in a map of verdicts
	to                 []byte // range: its end, value being its begin
	result             uint32 // fib: what is asked about the route; flags say by which fields it is found
	packets            uint64 // counter
	odd                bool   // has something that no rule of ours has
}

func decodeExpressions(list rtnl.Attrs) (out []expression) {
	for a := range list.All() {
		var e expression
		for p := range a.Attrs().All() {
			switch p.Type {
			case unix.NFTA_EXPR_NAME:
				e.name = p.String()
			case unix.NFTA_EXPR_DATA:
				e.decode(p.Attrs())
			}
		}
		out = append(out, e)
	}
	return out
}

func (e *expression) decode(data rtnl.Attrs) {
	for a := range data.All() {
		switch e.name {
		case "meta":
			e.meta(a)
		case "ct":
			e.ct(a)
		case "payload":
			e.payload(a)
		case "cmp":
			e.cmp(a)
		case "bitwise":
			e.bitwise(a)
		case "lookup":
			e.lookup(a)
		case "immediate":
			e.immediate(a)
		case "nat":
			e.nat(a)
		case "masq":
			if a.Type == unix.NFTA_MASQ_FLAGS {
				e.flags = a.Uint32BE()
			} else {
				e.odd = true
			}
		case "target":
			switch a.Type {
			case unix.NFTA_TARGET_NAME:
				e.target = a.String()
			case unix.NFTA_TARGET_INFO:
				e.info = slices.Clone(a.Value)
			}
		case "match":
			e.match(a)
		case "counter":
			if a.Type == unix.NFTA_COUNTER_PACKETS {
				e.packets = a.Uint64BE()
			}
		case "range":
			e.between(a)
		case "fib":
			e.fib(a)
		}
	}
}

func (e *expression) meta(a rtnl.Attr) {
	switch a.Type {
	case unix.NFTA_META_KEY:
		e.key = a.Uint32BE()
	case unix.NFTA_META_SREG:
		e.odd = true
	}
}

func (e *expression) ct(a rtnl.Attr) {
	switch a.Type {
	case unix.NFTA_CT_KEY:
		e.key = a.Uint32BE()
	case unix.NFTA_CT_DIRECTION:
		e.original = len(a.Value) == 1 && a.Value[0] == ctOriginal
		e.odd = e.odd || !e.original
	case unix.NFTA_CT_SREG:
		e.odd = true
	}
}

func (e *expression) payload(a rtnl.Attr) {
	switch a.Type {
	case unix.NFTA_PAYLOAD_BASE:
		e.base = a.Uint32BE()
	case unix.NFTA_PAYLOAD_OFFSET:
		e.offset = a.Uint32BE()
	case unix.NFTA_PAYLOAD_LEN:
		e.size = a.Uint32BE()
	case unix.NFTA_PAYLOAD_SREG:
		e.odd = true
	}
}

func (e *expression) cmp(a rtnl.Attr) {
	switch a.Type {
	case unix.NFTA_CMP_OP:
		e.op = a.Uint32BE()
	case unix.NFTA_CMP_DATA:
		e.value = valueOf(a)
	}
}

const bitwiseOp = 6 // NFTA_BITWISE_OP; 0 is the mask-and-xor of older kernels

func (e *expression) bitwise(a rtnl.Attr) {
	switch a.Type {
	case unix.NFTA_BITWISE_MASK:
		e.mask = valueOf(a)
	case unix.NFTA_BITWISE_XOR:
		e.xor = valueOf(a)
	case bitwiseOp:
		e.odd = a.Uint32BE() != 0
	}
}

func (e *expression) lookup(a rtnl.Attr) {
	switch a.Type {
	case unix.NFTA_LOOKUP_SET:
		e.set = a.String()
	case unix.NFTA_LOOKUP_FLAGS:
		e.flags = a.Uint32BE()
	case unix.NFTA_LOOKUP_DREG:
		e.odd, e.verdicts = true, a.Uint32BE() == unix.NFT_REG_VERDICT
	}
}

func (e *expression) match(a rtnl.Attr) {
	switch a.Type {
	case unix.NFTA_MATCH_NAME:
		e.target = a.String()
	case unix.NFTA_MATCH_REV:
		e.revision = a.Uint32BE()
	case unix.NFTA_MATCH_INFO:
		e.info = slices.Clone(a.Value)
	}
}

func (e *expression) fib(a rtnl.Attr) {
	switch a.Type {
	case unix.NFTA_FIB_RESULT:
		e.result = a.Uint32BE()
	case unix.NFTA_FIB_FLAGS:
		e.flags = a.Uint32BE()
	}
}

func (e *expression) between(a rtnl.Attr) {
	switch a.Type {
	case unix.NFTA_RANGE_OP:
		e.op = a.Uint32BE()
	case unix.NFTA_RANGE_FROM_DATA:
		e.value = valueOf(a)
	case unix.NFTA_RANGE_TO_DATA:
		e.to = valueOf(a)
	}
}

func (e *expression) immediate(a rtnl.Attr) {
	if a.Type != unix.NFTA_IMMEDIATE_DATA {
		return
	}
	e.odd, e.value = true, valueOf(a) // unless a verdict is found
	if code, chain, ok := verdictOf(a); ok {
		e.odd, e.code, e.chain = false, code, chain
	}
}

// verdictOf reads the verdict in a value; false if it is none.
func verdictOf(a rtnl.Attr) (code int32, chain string, ok bool) {
	for v := range a.Attrs().All() {
		if v.Type != unix.NFTA_DATA_VERDICT {
			continue
		}
		ok = true
		for w := range v.Attrs().All() {
			switch w.Type {
			case unix.NFTA_VERDICT_CODE:
				code = int32(w.Uint32BE())
			case unix.NFTA_VERDICT_CHAIN:
				chain = w.String()
			}
		}
	}
	return code, chain, ok
}

func (e *expression) nat(a rtnl.Attr) {
	switch a.Type {
	case unix.NFTA_NAT_TYPE:
		e.kind = a.Uint32BE()
	case unix.NFTA_NAT_FAMILY:
		e.family = a.Uint32BE()
	case unix.NFTA_NAT_REG_ADDR_MIN, unix.NFTA_NAT_REG_ADDR_MAX:
		e.odd = e.odd || a.Uint32BE() != reg
	case unix.NFTA_NAT_REG_PROTO_MIN, unix.NFTA_NAT_REG_PROTO_MAX:
		e.odd = true
	}
}

func valueOf(a rtnl.Attr) []byte {
	for v := range a.Attrs().All() {
		if v.Type == unix.NFTA_DATA_VALUE {
			return slices.Clone(v.Value)
		}
	}
	return nil
}
