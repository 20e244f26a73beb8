package rtnl

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

var native = binary.NativeEndian

// Batch is a row of requests in the form in which they are sent. The zero
// value is empty and ready for use.
type Batch struct {
	buf    []byte
	starts []int // where in buf each message begins
}

// Len is the number of messages.
func (b *Batch) Len() int { return len(b.starts) }

// Body is what message i holds behind its netlink header.
func (b *Batch) Body(i int) []byte { return b.buf[b.starts[i]+unix.SizeofNlMsghdr : b.end(i)] }

// Reset empties b and keeps its memory.
func (b *Batch) Reset() { b.buf, b.starts = b.buf[:0], b.starts[:0] }

// Message begins a message of type typ (RTM_*) with flags (NLM_F_*;
// NLM_F_REQUEST is understood) and its fixed header. What is put next are its
// attributes. It returns the message's number within the batch.
func (b *Batch) Message(typ, flags uint16, header ...byte) int {
	b.pad()
	b.starts = append(b.starts, len(b.buf))
	b.buf = native.AppendUint32(b.buf, 0) // the length: see seal
	b.buf = native.AppendUint16(b.buf, typ)
	b.buf = native.AppendUint16(b.buf, flags|unix.NLM_F_REQUEST)
	b.buf = append(b.buf, make([]byte, 8)...) // sequence number and port id
	b.buf = append(b.buf, header...)
	return len(b.starts) - 1
}

// Bytes puts an attribute with the value v.
func (b *Batch) Bytes(attr uint16, v ...byte) {
	b.attr(attr, len(v))
	b.buf = append(b.buf, v...)
}

// Raw puts bytes that are no attribute: the fixed header that some nested
// attributes begin with.
func (b *Batch) Raw(v ...byte) {
	b.pad()
	b.buf = append(b.buf, v...)
}

// Flag puts an attribute that says all by being there.
func (b *Batch) Flag(attr uint16) { b.attr(attr, 0) }

// Uint8 puts an attribute of one byte.
func (b *Batch) Uint8(attr uint16, v uint8) { b.Bytes(attr, v) }

// Uint16BE puts a number in network byte order, as ports are.
func (b *Batch) Uint16BE(attr, v uint16) {
	b.attr(attr, 2)
	b.buf = binary.BigEndian.AppendUint16(b.buf, v)
}

// Uint32 puts a number.
func (b *Batch) Uint32(attr uint16, v uint32) {
	b.attr(attr, 4)
	b.buf = native.AppendUint32(b.buf, v)
}

// Uint32BE puts a number in network byte order, as the firewall has them.
func (b *Batch) Uint32BE(attr uint16, v uint32) {
	b.attr(attr, 4)
	b.buf = binary.BigEndian.AppendUint32(b.buf, v)
}

// Uint64BE does so for a longer number.
func (b *Batch) Uint64BE(attr uint16, v uint64) {
	b.attr(attr, 8)
	b.buf = binary.BigEndian.AppendUint64(b.buf, v)
}

// Size is the length of all messages in bytes.
func (b *Batch) Size() int { return len(b.buf) }

// String puts a text that ends with a NUL byte.
func (b *Batch) String(attr uint16, v string) {
	b.attr(attr, len(v)+1)
	b.buf = append(append(b.buf, v...), 0)
}

// Addr puts an address of 4 or 16 bytes.
func (b *Batch) Addr(attr uint16, a netip.Addr) {
	if a.Is4() {
		v := a.As4()
		b.Bytes(attr, v[:]...)
		return
	}
	v := a.As16()
	b.Bytes(attr, v[:]...)
}

// Nest begins an attribute that holds attributes, until End of what it returns.
func (b *Batch) Nest(attr uint16) int {
	b.attr(attr|unix.NLA_F_NESTED, 0)
	return len(b.buf) - unix.SizeofNlAttr
}

// End closes what Nest began.
func (b *Batch) End(nest int) {
	b.pad()
	native.PutUint16(b.buf[nest:], uint16(len(b.buf)-nest))
}

func (b *Batch) attr(attr uint16, size int) {
	b.pad()
	b.buf = native.AppendUint16(b.buf, uint16(unix.SizeofNlAttr+size))
	b.buf = native.AppendUint16(b.buf, attr)
}

func (b *Batch) pad() {
	for len(b.buf)%unix.NLMSG_ALIGNTO != 0 {
		b.buf = append(b.buf, 0)
	}
}

// end is where message i ends.
func (b *Batch) end(i int) int {
	if i+1 < len(b.starts) {
		return b.starts[i+1]
	}
	return len(b.buf)
}

// seal writes length and sequence number into the messages lo..hi-1, asks for
// an acknowledgement of the last only, and returns their bytes.
func (b *Batch) seal(lo, hi int, seq uint32) []byte {
	b.pad()
	for i := lo; i < hi; i++ {
		m := b.buf[b.starts[i]:b.end(i)]
		native.PutUint32(m, uint32(len(m)))
		native.PutUint32(m[8:], seq+uint32(i-lo))
		flags := native.Uint16(m[6:]) &^ unix.NLM_F_ACK
		if i == hi-1 {
			flags |= unix.NLM_F_ACK
		}
		native.PutUint16(m[6:], flags)
	}
	return b.buf[b.starts[lo]:b.end(hi-1)]
}
