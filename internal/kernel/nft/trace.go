package nft

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netdump"
)

// traceGroup is NFNLGRP_NFTRACE, and traceMessage NFT_MSG_TRACE (since Linux 4.6).
const (
	traceGroup   = 9
	traceMessage = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_TRACE
)

// tableOwned is NFT_TABLE_F_OWNER (since Linux 5.12): the table goes with the socket that
// made it, however the process ends.
const tableOwned = 2

// tracePriority is ahead of all chains, so that the packet is followed from the beginning.
const tracePriority = -500

// Traced is the packet to follow, and its answer.
type Traced struct {
	Src, Dst netip.Addr
	Proto    uint8    // IPPROTO_*
	ID       uint16   // of an ICMP echo; of TCP and UDP the source port
	Ports    []uint16 // UDP ports of tunnels, in which the packet is followed as well
}

// Tracer has the kernel tell what rules do with a packet.
type Tracer struct {
	conn     *rtnl.Conn
	listener *rtnl.Listener
	table    string
	heads    map[uint32]netdump.Step // addresses of the packet by its id
}

// OpenTrace adds a table of its own whose rules mark the packet for tracing, in the
// calling thread's namespace. The kernel removes it with the Tracer.
func OpenTrace(p Traced) (*Tracer, error) {
	t := &Tracer{table: fmt.Sprintf("weft-trace-%d", os.Getpid()), heads: map[uint32]netdump.Step{}}
	var err error
	if t.listener, err = rtnl.ListenNetfilter(0, traceGroup); err != nil {
		return nil, fmt.Errorf("listen to the kernel's traces: %w", err)
	}
	if t.conn, err = rtnl.OpenNetfilter(); err != nil {
		return nil, errors.Join(err, t.listener.Close())
	}
	if err := t.add(p, tableOwned); err != nil {
		err = t.add(p, 0) // a kernel that has no owners
		if err != nil {
			return nil, errors.Join(fmt.Errorf("this kernel cannot trace packets by nf_tables: %w", explain(err)), t.conn.Close(), t.listener.Close())
		}
	}
	return t, nil
}

// Close removes the table.
func (t *Tracer) Close() error {
	var b rtnl.Batch
	bound(&b, unix.NFNL_MSG_BATCH_BEGIN)
	encodeTable(&b, t.table, unix.NFPROTO_INET, true)
	bound(&b, unix.NFNL_MSG_BATCH_END)
	return errors.Join(first(t.conn.Transact(&b)), t.conn.Close(), t.listener.Close())
}

func first(faults []rtnl.Fault) error {
	if len(faults) == 0 {
		return nil
	}
	return faults[0].Err
}

func (t *Tracer) add(p Traced, flags uint32) error {
	var b rtnl.Batch
	bound(&b, unix.NFNL_MSG_BATCH_BEGIN)
	encodeTable(&b, t.table, unix.NFPROTO_INET, false)
	if flags != 0 {
		b.Uint32BE(unix.NFTA_TABLE_FLAGS, flags)
	}
	for _, hook := range []string{"prerouting", "output"} {
		message(&b, unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE, unix.NFPROTO_INET)
		b.String(unix.NFTA_CHAIN_TABLE, t.table)
		b.String(unix.NFTA_CHAIN_NAME, hook)
		nest := b.Nest(unix.NFTA_CHAIN_HOOK)
		b.Uint32BE(unix.NFTA_HOOK_HOOKNUM, hookNumber(hook))
		priority := int32(tracePriority)
		b.Uint32BE(unix.NFTA_HOOK_PRIORITY, uint32(priority))
		b.End(nest)
		b.String(unix.NFTA_CHAIN_TYPE, "filter")
		answer := p
		answer.Src, answer.Dst = p.Dst, p.Src
		t.rule(&b, hook, func(e exprs) { e.traced(p, 0) })
		t.rule(&b, hook, func(e exprs) { e.traced(answer, udpDport) })
		for _, port := range p.Ports {
			t.rule(&b, hook, func(e exprs) { e.tunnelled(p, port) })
			t.rule(&b, hook, func(e exprs) { e.tunnelled(answer, port) })
		}
	}
	bound(&b, unix.NFNL_MSG_BATCH_END)
	return first(t.conn.Transact(&b))
}

// rule puts a rule that marks what match is true of.
func (t *Tracer) rule(b *rtnl.Batch, chain string, match func(exprs)) {
	message(b, unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND, unix.NFPROTO_INET)
	place{unix.NFPROTO_INET, t.table, chain}.put(b)
	list := b.Nest(unix.NFTA_RULE_EXPRESSIONS)
	e := exprs{b}
	match(e)
	o := e.begin("immediate")
	b.Uint32BE(unix.NFTA_IMMEDIATE_DREG, reg)
	e.value(unix.NFTA_IMMEDIATE_DATA, []byte{1})
	e.end(o)
	o = e.begin("meta")
	b.Uint32BE(unix.NFTA_META_KEY, unix.NFT_META_NFTRACE)
	b.Uint32BE(unix.NFTA_META_SREG, reg)
	e.end(o)
	b.End(list)
}

// is matches bytes of a header.
func (e exprs) is(base, offset uint32, v []byte) {
	e.payload(base, offset, uint32(len(v)))
	e.cmp(unix.NFT_CMP_EQ, v)
}

// idOffset is where an ICMP echo has its identifier, behind its beginning, in bytes.
const idOffset = 4

// traced matches the packet, whose port stands at an offset unless it is ICMP.
func (e exprs) traced(p Traced, port uint32) {
	family, src, dst := uint8(unix.NFPROTO_IPV4), uint32(srcV4), uint32(dstV4)
	if p.Src.Is6() {
		family, src, dst = unix.NFPROTO_IPV6, srcV6, dstV6
	}
	e.meta(unix.NFT_META_NFPROTO)
	e.cmp(unix.NFT_CMP_EQ, []byte{family})
	e.meta(unix.NFT_META_L4PROTO)
	e.cmp(unix.NFT_CMP_EQ, []byte{p.Proto})
	if port == 0 {
		e.is(unix.NFT_PAYLOAD_NETWORK_HEADER, src, p.Src.AsSlice())
	} else { // an answer comes from where the packet was translated to
		e.is(unix.NFT_PAYLOAD_NETWORK_HEADER, dst, p.Dst.AsSlice())
	}
	if p.isICMP() {
		port = idOffset
	}
	e.is(unix.NFT_PAYLOAD_TRANSPORT_HEADER, port, binary.BigEndian.AppendUint16(nil, p.ID))
}

func (p Traced) isICMP() bool { return p.Proto == unix.IPPROTO_ICMP || p.Proto == unix.IPPROTO_ICMPV6 }

// tunnelled matches the packet within VXLAN, which has no options between the headers.
func (e exprs) tunnelled(p Traced, port uint16) {
	const inner = 8 + 8 + 14 // headers of UDP, VXLAN and Ethernet
	src, dst := uint32(srcV4), uint32(dstV4)
	if p.Src.Is6() {
		src, dst = srcV6, dstV6
	}
	e.meta(unix.NFT_META_L4PROTO)
	e.cmp(unix.NFT_CMP_EQ, []byte{protoUDP})
	e.is(unix.NFT_PAYLOAD_TRANSPORT_HEADER, udpDport, binary.BigEndian.AppendUint16(nil, port))
	e.is(unix.NFT_PAYLOAD_TRANSPORT_HEADER, inner+src, p.Src.AsSlice())
	e.is(unix.NFT_PAYLOAD_TRANSPORT_HEADER, inner+dst, p.Dst.AsSlice())
}

// Steps yields what the kernel tells until ctx ends. yield returns whether to go on.
func (t *Tracer) Steps(ctx context.Context, yield func(netdump.Step) bool) error {
	for m, err := range t.listener.Messages(ctx) {
		if errors.Is(err, rtnl.ErrLost) {
			continue
		}
		if err != nil {
			return fmt.Errorf("listen to the kernel's traces: %w", err)
		}
		if s, ok := t.decode(m); ok && s.Table != t.table && !yield(s) {
			return nil
		}
	}
	return nil
}

// Attributes of NFT_MSG_TRACE and kinds of it, of linux/netfilter/nf_tables.h.
const (
	traceTable   = 1
	traceChain   = 2
	traceHandle  = 3
	traceType    = 4
	traceVerdict = 5
	traceID      = 6
	traceNetwork = 8
	tracePolicy  = 16

	typePolicy = 1
	typeRule   = 3
)

func (t *Tracer) decode(m rtnl.Message) (s netdump.Step, ok bool) {
	head, attrs, ok := m.Header(nfgenSize)
	if !ok || m.Type != traceMessage {
		return s, false
	}
	s.Family = dumpFamily(head[0])
	id, kind, code := uint32(0), uint32(0), int32(verdictAccept)
	for a := range attrs.All() {
		switch a.Type {
		case traceTable:
			s.Table = a.String()
		case traceChain:
			s.Chain = a.String()
		case traceHandle:
			s.Handle = a.Uint64BE()
		case traceType:
			kind = a.Uint32BE()
		case traceVerdict:
			for v := range a.Attrs().All() {
				if v.Type == unix.NFTA_VERDICT_CODE {
					code = int32(v.Uint32BE())
				}
			}
		case tracePolicy:
			code = int32(a.Uint32BE())
		case traceID:
			id = a.Uint32BE()
		case traceNetwork:
			t.heads[id] = addressesOf(a.Value)
		}
	}
	s.Src, s.Dst = t.heads[id].Src, t.heads[id].Dst
	s.Policy, s.Does = kind == typePolicy, actionsByCode[code]
	return s, (kind == typePolicy || kind == typeRule) && s.Does != ""
}

// actionsByCode has no word for going on with the next rule.
var actionsByCode = map[int32]netdump.Action{
	verdictDrop: netdump.Drop, verdictAccept: netdump.Accept, verdictJump: netdump.Jump, verdictGoto: netdump.Goto, verdictReturn: netdump.Return,
}

// addressesOf reads an IP header.
func addressesOf(head []byte) (s netdump.Step) {
	switch {
	case len(head) >= 40 && head[0]>>4 == 6:
		s.Src, s.Dst = netip.AddrFrom16([16]byte(head[srcV6:])), netip.AddrFrom16([16]byte(head[dstV6:]))
	case len(head) >= 20:
		s.Src, s.Dst = netip.AddrFrom4([4]byte(head[srcV4:])), netip.AddrFrom4([4]byte(head[dstV4:]))
	}
	return s
}
