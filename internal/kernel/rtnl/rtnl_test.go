package rtnl_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netns"
)

func TestMain(m *testing.M) { os.Exit(netns.Main(m.Run)) }

func open(t *testing.T) *rtnl.Conn {
	t.Helper()
	c, err := rtnl.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

const loopback uint32 = 1 // the index of lo

// addr puts the request to add or remove an address of lo.
func addr(b *rtnl.Batch, typ, flags uint16, index uint32, a netip.Addr) {
	b.Message(typ, flags, binary.NativeEndian.AppendUint32([]byte{unix.AF_INET, 32, 0, 0}, index)...)
	b.Addr(unix.IFA_LOCAL, a)
}

// TestFaultsHaveTheirMessage lets every third of many messages fail, more than
// the replies of which fit the receive buffer.
func TestFaultsHaveTheirMessage(t *testing.T) {
	c := open(t)
	var b rtnl.Batch
	const n = 9000
	for i := range n {
		index := loopback
		if i%3 == 1 {
			index = 99
		}
		addr(&b, unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, index, netip.AddrFrom4([4]byte{10, 77, byte(i >> 8), byte(i)}))
	}
	faults := c.Exec(&b)
	if len(faults) != n/3 {
		t.Fatalf("%d of %d messages failed, not every third", len(faults), n)
	}
	for k, f := range faults {
		if f.Message != 3*k+1 || !errors.Is(f.Err, syscall.ENODEV) {
			t.Fatalf("fault %d is of message %d: %v", k, f.Message, f.Err)
		}
	}
	listed := 0
	for m, err := range c.Dump(list()) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Type == unix.RTM_NEWADDR {
			listed++
		}
	}
	if want := n - n/3; listed < want {
		t.Errorf("%d addresses are there, want %d", listed, want)
	}
	for range c.Dump(list()) {
		break // what is not read must not spoil the next request
	}
	var undo rtnl.Batch
	addr(&undo, unix.RTM_DELADDR, 0, loopback, netip.MustParseAddr("10.77.0.0"))
	if faults := c.Exec(&undo); len(faults) != 0 {
		t.Error(faults)
	}
}

func list() *rtnl.Batch {
	var b rtnl.Batch
	b.Message(unix.RTM_GETADDR, unix.NLM_F_DUMP, unix.AF_INET, 0, 0, 0, 0, 0, 0, 0)
	return &b
}

func TestErrorsCarryTheKernelsText(t *testing.T) {
	c := open(t)
	var b rtnl.Batch
	b.Message(unix.RTM_NEWNEXTHOP, unix.NLM_F_CREATE, unix.AF_INET, 0, 0, 0, 0, 0, 0, 0)
	b.Uint32(unix.NHA_OIF, 4711)
	faults := c.Exec(&b)
	var refusal *rtnl.Error
	if len(faults) != 1 || !errors.As(faults[0].Err, &refusal) || refusal.Text == "" {
		t.Fatalf("no text in %v", faults)
	}
}

func TestListenerHearsOthersOnly(t *testing.T) {
	mine, other := open(t), open(t)
	l, err := rtnl.Listen(mine.PID(), unix.RTNLGRP_IPV4_IFADDR)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	put := func(c *rtnl.Conn, a string) {
		var b rtnl.Batch
		addr(&b, unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, loopback, netip.MustParseAddr(a))
		for _, f := range c.Exec(&b) {
			t.Fatal(f)
		}
	}
	put(mine, "10.78.0.1")
	put(other, "10.78.0.2")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for m, err := range l.Messages(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if m.PID != other.PID() {
			t.Errorf("heard a message from %d", m.PID)
		}
		cancel()
	}
}

// TestLostNotifications overruns a listener that does not listen.
func TestLostNotifications(t *testing.T) {
	c := open(t)
	l, err := rtnl.Listen(0, unix.RTNLGRP_IPV4_IFADDR)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var b rtnl.Batch
	for i := range 50_000 {
		addr(&b, unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, loopback, netip.AddrFrom4([4]byte{10, 79, 0, byte(i)}))
	}
	for _, f := range c.Exec(&b) {
		t.Fatal(f)
	}
	heard := 0
	for _, err := range l.Messages(t.Context()) {
		if errors.Is(err, rtnl.ErrLost) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if heard++; heard == 50_000 {
			t.Fatal("nothing was lost")
		}
	}
}
