package rtnl

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// TestListThatCannotBeRead has a list break off in its middle. The next one
// is not refused for that.
func TestListThatCannotBeRead(t *testing.T) {
	c, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var b Batch
	for i := range 2000 { // more than one datagram holds
		b.Message(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, unix.AF_INET, 32, 0, 0, 1, 0, 0, 0)
		b.Addr(unix.IFA_LOCAL, netip.AddrFrom4([4]byte{10, 80, byte(i >> 8), byte(i)}))
	}
	for _, f := range c.Exec(&b) {
		t.Fatal(f)
	}
	list := func() (n int, err error) {
		var b Batch
		b.Message(unix.RTM_GETADDR, unix.NLM_F_DUMP, unix.AF_INET, 0, 0, 0, 0, 0, 0, 0)
		for _, e := range c.Dump(&b) {
			n++
			err = e
		}
		return n, err
	}
	whole := c.buf
	c.buf = whole[:200] // the rest of each datagram is lost
	if _, err := list(); err == nil {
		t.Fatal("a list that was cut short is no error")
	}
	c.buf = whole
	if n, err := list(); err != nil || n < 2000 {
		t.Errorf("the next list has %d addresses: %v", n, err)
	}
}
