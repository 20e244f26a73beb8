package rtnl

import (
	"bytes"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// sample is a batch with every form of attribute.
func sample() *Batch {
	var b Batch
	b.Message(unix.RTM_NEWLINK, unix.NLM_F_CREATE, 1, 2, 3, 4)
	b.String(1, "eth0")
	b.Uint8(2, 7)
	b.Uint16BE(3, 8472)
	b.Uint32(4, 1<<31)
	nest := b.Nest(5)
	b.Addr(6, netip.MustParseAddr("10.4.7.21"))
	b.Addr(7, netip.MustParseAddr("fd00::21"))
	b.Flag(8)
	b.End(nest)
	b.Bytes(9, 1, 2, 3)
	b.Message(unix.RTM_GETLINK, unix.NLM_F_DUMP)
	return &b
}

func TestMessagesReadBack(t *testing.T) {
	data := sample().seal(0, 2, 41)
	m, rest, err := cut(data)
	if err != nil || m.Type != unix.RTM_NEWLINK || m.Seq != 41 || m.Flags&unix.NLM_F_ACK != 0 {
		t.Fatalf("%+v %v", m, err)
	}
	head, attrs, ok := m.Header(4)
	if !ok || !bytes.Equal(head, []byte{1, 2, 3, 4}) {
		t.Fatal(head, ok)
	}
	got := map[uint16]Attr{}
	for a := range attrs.All() {
		got[a.Type] = a
	}
	inner := got[5].Attrs()
	v4, _ := inner.Next()
	v6, _ := inner.Next()
	flag, ok := inner.Next()
	if got[1].String() != "eth0" || got[2].Uint8() != 7 || got[3].Uint16BE() != 8472 || got[4].Uint32() != 1<<31 ||
		v4.Addr().String() != "10.4.7.21" || v6.Addr().String() != "fd00::21" || !ok || flag.Type != 8 || len(got[9].Value) != 3 {
		t.Errorf("read back: %v", got)
	}
	m, rest, err = cut(rest)
	if err != nil || m.Type != unix.RTM_GETLINK || m.Seq != 42 || m.Flags&unix.NLM_F_ACK == 0 || len(rest) != 0 {
		t.Errorf("the last message does not ask for an answer: %+v %v", m, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample().seal(0, 2, 1))
	f.Add([]byte{16, 0, 0, 0, 2, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		for len(data) > 0 {
			m, rest, err := cut(data)
			if err != nil {
				return
			}
			if len(rest) >= len(data) {
				t.Fatal("no progress")
			}
			_ = fault(m)
			_ = doneError(m)
			if _, attrs, ok := m.Header(12); ok {
				walk(attrs)
			}
			data = rest
		}
	})
}

func walk(attrs Attrs) {
	for a := range attrs.All() {
		_, _, _, _, _ = a.Uint8(), a.Uint16BE(), a.Uint32(), a.String(), a.Addr()
		walk(a.Attrs())
	}
}
