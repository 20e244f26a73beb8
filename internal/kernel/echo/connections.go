package echo

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
)

// connections tells the kernel's connection tracking of requests that it does not
// see leave, since they leave as frames. Their answers would count as invalid, and
// many a firewall drops those.
type connections struct {
	conn  *rtnl.Conn
	batch rtnl.Batch
	off   bool // the kernel has no such thing, or does not let us
}

// Numbers of linux/netfilter/nfnetlink_conntrack.h.
const (
	ctNew = unix.NFNL_SUBSYS_CTNETLINK << 8 // IPCTNL_MSG_CT_NEW

	ctaTupleOrig, ctaTupleReply, ctaTimeout = 1, 2, 7
	ctaTupleIP, ctaTupleProto               = 1, 2
	ctaV4Src, ctaV4Dst, ctaV6Src, ctaV6Dst  = 1, 2, 3, 4
	ctaProtoNum                             = 1
	ctaICMPID, ctaICMPType, ctaICMPCode     = 4, 5, 6
	ctaICMPv6ID                             = 7 // its type and code follow likewise
)

// tracked is how long an entry stays without an answer, in seconds.
const tracked = 10

func openConnections() (*connections, error) {
	conn, err := rtnl.OpenNetfilter()
	if err != nil {
		return nil, err
	}
	return &connections{conn: conn}, nil
}

func (c *connections) close() error {
	if c == nil {
		return nil
	}
	return c.conn.Close()
}

// expect has an answer from dst to a request of src with this id count as one. A
// kernel that cannot do that is not asked again: such answers then stay as they are.
func (c *connections) expect(src, dst netip.Addr, id uint16) {
	if c.off {
		return
	}
	b := &c.batch
	b.Reset()
	b.Message(ctNew, unix.NLM_F_CREATE, codec.Family(dst), unix.NFNETLINK_V0, 0, 0)
	ask, answer := byte(request4), byte(reply4)
	if dst.Is6() {
		ask, answer = request6, reply6
	}
	tuple(b, ctaTupleOrig, src, dst, id, ask)
	tuple(b, ctaTupleReply, dst, src, id, answer)
	b.Uint32BE(ctaTimeout, tracked)
	for _, f := range c.conn.Exec(b) {
		c.off = c.off || absent(f.Err)
	}
}

// absent reports whether err says that there is no connection tracking, or none
// for us.
func absent(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EPERM)
}

// tuple adds how packets of one direction are known.
func tuple(b *rtnl.Batch, attr uint16, src, dst netip.Addr, id uint16, kind byte) {
	from, to, proto, first := uint16(ctaV4Src), uint16(ctaV4Dst), byte(protoICMP), uint16(ctaICMPID)
	if dst.Is6() {
		from, to, proto, first = ctaV6Src, ctaV6Dst, protoICMPv6, ctaICMPv6ID
	}
	nest := b.Nest(attr)
	inner := b.Nest(ctaTupleIP)
	b.Addr(from, src)
	b.Addr(to, dst)
	b.End(inner)
	inner = b.Nest(ctaTupleProto)
	b.Uint8(ctaProtoNum, proto)
	b.Uint16BE(first, id)
	b.Uint8(first+ctaICMPType-ctaICMPID, kind)
	b.Uint8(first+ctaICMPCode-ctaICMPID, 0)
	b.End(inner)
	b.End(nest)
}
