package fastpath

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/weft-net/weft/internal/netstate"
)

// Missing returns why this kernel cannot run the programs, "" if it can. It
// loads them and has one carry a packet: some kernels take a program and refuse
// what it does.
func (c *Conn) Missing() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fit {
		return ""
	}
	if err := c.do(c.try); err != nil {
		return err.Error()
	}
	c.fit = true
	return ""
}

// Verdicts of linux/bpf.h.
const (
	verdictNext     = 0xffffffff // TCX_NEXT
	verdictRedirect = 7          // TC_ACT_REDIRECT
)

// lo is the index of the loopback, the one device that every network namespace has.
const lo = 1

// try loads the programs and sends a packet through the one that does the most.
func (c *Conn) try() error {
	o, err := load(conf{Mode: modeAll, Uplink: lo, Local: [4]byte{192, 0, 2, 1}, Port: [2]byte{33, 24}}, nil)
	if err != nil {
		return err
	}
	defer o.Close()
	if _, err := link.QueryPrograms(link.QueryOptions{Target: lo, Attach: ebpf.AttachTCXIngress}); err != nil {
		return fmt.Errorf("this kernel has no tcx hooks, which Linux 6.6 brought: %w", err)
	}
	near, far := netip.AddrFrom4([4]byte{192, 0, 2, 10}), netip.AddrFrom4([4]byte{192, 0, 2, 20})
	if err := o.Maps[podsMap].Put(near.As16(), pod{Ifindex: lo, MTU: 1500}); err != nil {
		return err
	}
	err = o.Maps[remotesMap].Put(keyOf(netip.PrefixFrom(far, 32)), remote{Host: far.As16(), MAC: netstate.MAC{2}, MTU: 1450, Kind: kindVXLAN})
	if err != nil {
		return err
	}
	packet := sample(near.As4(), far.As4())
	run := &ebpf.RunOptions{Data: packet, DataOut: make([]byte, len(packet)+256), Repeat: 1}
	verdict, err := o.Programs[podProgram].Run(run)
	if err != nil {
		return fmt.Errorf("try an eBPF program on a packet: %w", err)
	}
	if verdict != verdictRedirect {
		return fmt.Errorf("this kernel does not put packets into a tunnel for eBPF programs (verdict %d), as Linux 6.6 does", int32(verdict))
	}
	return nil
}

// sample is a UDP datagram without data in a frame for the loopback.
func sample(src, dst [4]byte) []byte {
	p := make([]byte, 14+20+8+20)
	p[12], p[14], p[22], p[23] = 8, 0x45, 64, 17
	binary.BigEndian.PutUint16(p[16:], uint16(len(p)-14))
	copy(p[26:], src[:])
	copy(p[30:], dst[:])
	binary.BigEndian.PutUint16(p[38:], uint16(len(p)-34))
	return p
}
