package rtnl

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Transact sends a batch of firewall messages of which the kernel carries out
// all or none (linux/netfilter/nfnetlink.h): the first message must begin a
// transaction and the last one end it. It returns the failures by message,
// those of the whole as failures of message 0; none of the batch is in force
// if there is one. A batch that does not fit the send buffer, or whose failures
// do not fit the receive buffer, fails with an error of which IsTooMuch is true.
func (c *Conn) Transact(b *Batch) []Fault {
	first, last := c.seq+1, c.seq+uint32(b.Len())-1
	c.seq += uint32(b.Len())
	data := b.seal(0, b.Len(), first)
	// Older kernels do not acknowledge the end, so that the last message ahead
	// of it is asked for its acknowledgement.
	b.setAck(b.Len()-1, false)
	b.setAck(b.Len()-2, true)
	if err := c.write(data); err != nil {
		return []Fault{{0, err}}
	}
	faults, err := c.verdicts(first, last)
	if err != nil {
		c.drain()
		return []Fault{{0, err}}
	}
	return faults
}

// IsTooMuch reports whether an error says that a batch has to be smaller.
func IsTooMuch(err error) bool {
	return errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.ENOMEM)
}

// verdicts reads the answers to a transaction: until the last message is
// answered, or the whole is refused.
func (c *Conn) verdicts(first, last uint32) (faults []Fault, err error) {
	_, err = c.receive(func(m Message) (end bool, _ error) {
		if m.Type != unix.NLMSG_ERROR || m.Seq-first > last-first {
			return false, nil
		}
		err := fault(m)
		if err != nil && m.Seq == first {
			return true, err
		}
		if err != nil {
			faults = append(faults, Fault{int(m.Seq - first), err})
		}
		return m.Seq == last, nil
	})
	if err != nil {
		return nil, err
	}
	return faults, nil
}

// setAck asks for an acknowledgement of message i, or does not.
func (b *Batch) setAck(i int, ack bool) {
	m := b.buf[b.starts[i]:]
	flags := native.Uint16(m[6:]) &^ unix.NLM_F_ACK
	if ack {
		flags |= unix.NLM_F_ACK
	}
	native.PutUint16(m[6:], flags)
}
