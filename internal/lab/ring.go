package lab

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The ring holds 32,768 frames in 16 MiB. Unlike a socket's buffer, it may be of any size
// without a privilege in the first namespace.
const (
	ringSlot  = 512 // bytes of a frame and of what the kernel says of it
	ringBlock = 64 << 10
	ringSize  = 16 << 20
)

// ring is memory that a packet socket shares with the kernel, which writes captured frames to
// it (TPACKET_V2, Documentation/networking/packet_mmap.rst of the kernel).
type ring struct {
	memory []byte
	next   int // offset in bytes of the slot that is filled next
}

// newRing has the kernel write what fd captures to a ring.
func newRing(fd int) (*ring, error) {
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2); err != nil {
		return nil, fmt.Errorf("choose the version of the capture's ring: %w", err)
	}
	size := unix.TpacketReq{Block_size: ringBlock, Block_nr: ringSize / ringBlock, Frame_size: ringSlot, Frame_nr: ringSize / ringSlot}
	if err := unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &size); err != nil {
		return nil, fmt.Errorf("make the capture's ring: %w", err)
	}
	memory, err := unix.Mmap(fd, 0, ringSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the capture's ring: %w", err)
	}
	return &ring{memory: memory}, nil
}

// read hands all frames that are in the ring to each, which may use one until it returns.
func (r *ring) read(each func([]byte)) {
	for {
		slot := r.memory[r.next : r.next+ringSlot]
		header := (*unix.Tpacket2Hdr)(unsafe.Pointer(&slot[0])) // a slot begins at a multiple of 512 bytes
		if atomic.LoadUint32(&header.Status)&unix.TP_STATUS_USER == 0 {
			return
		}
		each(slot[header.Mac : uint32(header.Mac)+header.Snaplen])
		atomic.StoreUint32(&header.Status, unix.TP_STATUS_KERNEL)
		r.next = (r.next + ringSlot) % ringSize
	}
}

func (r *ring) close() error {
	if r == nil {
		return nil
	}
	return unix.Munmap(r.memory)
}
