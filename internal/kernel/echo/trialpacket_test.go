package echo

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/weft-net/weft/internal/netstate"
)

var mac = netstate.MAC{2, 0, 0, 0, 0, 1}

// TestTrialsDifferInTheirChecksumAlone completes what is left to the device, as
// that does, and finds the same packet.
func TestTrialsDifferInTheirChecksumAlone(t *testing.T) {
	for name, a := range pairs {
		for _, tcp := range []bool{false, true} {
			trial := Trial{ID: 42, TCP: tcp, Source: a[0], Dest: a[1]}
			whole := appendTrial(nil, trial, mac, 20000)
			trial.Offload = true
			partial := appendTrial(nil, trial, mac, 20000)
			if want := virtioHeader + ethernetHeader + headerOf(a[1]) + segment; len(whole) != want || len(partial) != want {
				t.Fatalf("%s: %d and %d bytes", name, len(whole), len(partial))
			}
			if bytes.ContainsFunc(whole[:virtioHeader], func(r rune) bool { return r != 0 }) || partial[0] != 1 {
				t.Errorf("%s: headers %v and %v", name, whole[:virtioHeader], partial[:virtioHeader])
			}
			start := binary.NativeEndian.Uint16(partial[6:]) + virtioHeader
			field := partial[start+binary.NativeEndian.Uint16(partial[8:]):]
			if bytes.Equal(whole[virtioHeader:], partial[virtioHeader:]) {
				t.Errorf("%s: nothing is left to be done", name)
			}
			binary.BigEndian.PutUint16(field, checksum(0, partial[start:]))
			if !bytes.Equal(whole[virtioHeader:], partial[virtioHeader:]) {
				t.Errorf("%s, TCP %t:\n%x, not\n%x", name, tcp, partial[virtioHeader:], whole[virtioHeader:])
			}
		}
	}
}

func FuzzParseRefusal(f *testing.F) {
	for _, a := range pairs {
		packet := appendTrial(nil, Trial{ID: 7, TCP: true, Source: a[0], Dest: a[1]}, mac, 20000)[virtioHeader+ethernetHeader:]
		f.Add(packet)
		f.Add(appendReply(nil, append(make([]byte, icmpHeader), packet...), a[1], a[0]))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, ok := parseRefusal(b, 20000); ok && (r.ID >= TrialIDs || !r.From.IsValid()) {
			t.Errorf("%x was read as %+v", b, r)
		}
	})
}
