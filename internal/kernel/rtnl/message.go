package rtnl

import (
	"encoding/binary"
	"errors"
	"iter"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Message is a message from the kernel. Its data is valid until the next one
// is read.
type Message struct {
	Type  uint16 // RTM_*
	Flags uint16 // NLM_F_*
	Seq   uint32
	PID   uint32 // port id of the socket on whose behalf it was sent
	Data  []byte // fixed header and attributes
}

var errMalformed = errors.New("the kernel sent a netlink message that is cut short")

// cut takes the first message off a datagram.
func cut(datagram []byte) (m Message, rest []byte, err error) {
	if len(datagram) < unix.SizeofNlMsghdr {
		return m, nil, errMalformed
	}
	size := int(native.Uint32(datagram))
	if size < unix.SizeofNlMsghdr || size > len(datagram) {
		return m, nil, errMalformed
	}
	m = Message{
		Type:  native.Uint16(datagram[4:]),
		Flags: native.Uint16(datagram[6:]),
		Seq:   native.Uint32(datagram[8:]),
		PID:   native.Uint32(datagram[12:]),
		Data:  datagram[unix.SizeofNlMsghdr:size],
	}
	return m, datagram[min(align(size), len(datagram)):], nil
}

func align(n int) int { return (n + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1) }

// Header returns the first size bytes of the message's data and the
// attributes behind them; neither, and false, if the message is shorter.
func (m Message) Header(size int) ([]byte, Attrs, bool) {
	if len(m.Data) < size {
		return nil, nil, false
	}
	return m.Data[:size], Attrs(m.Data[min(align(size), len(m.Data)):]), true
}

// Attrs is a row of attributes, read in place.
type Attrs []byte

// Attr is one attribute.
type Attr struct {
	Type  uint16 // without the NLA_F_* bits
	Value []byte
}

// Next takes the first attribute off a; false at the end, and where what
// follows is not an attribute.
func (a *Attrs) Next() (Attr, bool) {
	b := *a
	if len(b) < unix.SizeofNlAttr {
		return Attr{}, false
	}
	size := int(native.Uint16(b))
	if size < unix.SizeofNlAttr || size > len(b) {
		*a = nil
		return Attr{}, false
	}
	*a = b[min(align(size), len(b)):]
	const typeMask = ^uint16(unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
	return Attr{Type: native.Uint16(b[2:]) & typeMask, Value: b[unix.SizeofNlAttr:size]}, true
}

// All goes over the attributes, up to where what follows is none.
func (a Attrs) All() iter.Seq[Attr] {
	return func(yield func(Attr) bool) {
		for attr, ok := a.Next(); ok && yield(attr); attr, ok = a.Next() {
		}
	}
}

// Uint8 is the value as a number of one byte, 0 if it has another size.
func (a Attr) Uint8() uint8 {
	if len(a.Value) != 1 {
		return 0
	}
	return a.Value[0]
}

// Uint16BE is the value as a number in network byte order, 0 if it has
// another size.
func (a Attr) Uint16BE() uint16 {
	if len(a.Value) != 2 {
		return 0
	}
	return uint16(a.Value[0])<<8 | uint16(a.Value[1])
}

// Uint32 is the value as a number, 0 if it has another size.
func (a Attr) Uint32() uint32 {
	if len(a.Value) != 4 {
		return 0
	}
	return native.Uint32(a.Value)
}

// Uint32BE is the value as a number in network byte order, 0 if it has
// another size.
func (a Attr) Uint32BE() uint32 {
	if len(a.Value) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(a.Value)
}

// Uint64BE is the value as a longer number in network byte order, 0 if it has
// another size.
func (a Attr) Uint64BE() uint64 {
	if len(a.Value) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(a.Value)
}

// String is the value as a text without its closing NUL.
func (a Attr) String() string {
	for i, c := range a.Value {
		if c == 0 {
			return string(a.Value[:i])
		}
	}
	return string(a.Value)
}

// Addr is the value as an address; the zero Addr if it is none.
func (a Attr) Addr() netip.Addr {
	switch len(a.Value) {
	case 4:
		return netip.AddrFrom4([4]byte(a.Value))
	case 16:
		return netip.AddrFrom16([16]byte(a.Value))
	}
	return netip.Addr{}
}

// Attrs is the value as nested attributes.
func (a Attr) Attrs() Attrs { return Attrs(a.Value) }
