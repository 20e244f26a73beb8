package rtnl

import (
	"iter"

	"golang.org/x/sys/unix"
)

// Dump sends the only message of b and yields the messages that answer it: all
// of a list if it asks for one (NLM_F_DUMP), else the one object. The last
// thing it yields is an error, if there was one: ErrInterrupted, or an *Error.
// The Conn is busy until the loop over the messages ends.
func (c *Conn) Dump(b *Batch) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		// A list has to be read to its end: until then the kernel refuses to
		// begin another on this socket.
		stopped := false
		err := c.dump(b, func(m Message) { stopped = stopped || !yield(m, nil) })
		if err != nil && !stopped {
			yield(Message{}, err)
		}
	}
}

// dump calls yield for every message of the answer. What is left of a list
// that cannot be read is thrown away, or the kernel would refuse the next.
func (c *Conn) dump(b *Batch, yield func(Message)) error {
	c.seq++
	if err := c.write(b.seal(0, 1, c.seq)); err != nil {
		return err
	}
	interrupted := false
	ended, err := c.receive(func(m Message) (end bool, err error) {
		if m.Seq != c.seq {
			return false, nil
		}
		interrupted = interrupted || m.Flags&unix.NLM_F_DUMP_INTR != 0
		if end, err = last(m); !end {
			yield(m)
		} else if err == nil && interrupted {
			err = ErrInterrupted
		}
		return end, err
	})
	if !ended {
		c.drain()
	}
	return err
}

// last tells whether m ends an answer.
func last(m Message) (bool, error) {
	switch m.Type {
	case unix.NLMSG_DONE:
		return true, doneError(m)
	case unix.NLMSG_ERROR:
		return true, fault(m)
	}
	return false, nil
}
