package vxlan

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/weft-net/weft/internal/netstate"
)

// Data is what a host announces about its tunnel: flannel's BackendData,
// {"VNI":1,"VtepMAC":"32:11:d5:cd:3b:c9"}.
type Data struct {
	VNI uint32
	MAC netstate.MAC
}

// Marshal writes d as flannel does.
func (d Data) Marshal() json.RawMessage {
	return fmt.Appendf(nil, `{"VNI":%d,"VtepMAC":%q}`, d.VNI, d.MAC)
}

// ParseData reads what a host announced. The MAC is a unicast address. A VNI
// that is missing reads as 1, since early flannel wrote none.
func ParseData(raw json.RawMessage) (Data, error) {
	d, ok := scan(raw)
	if !ok {
		var err error
		if d, err = decode(raw); err != nil {
			return Data{}, err
		}
	}
	if !d.MAC.IsUnicast() {
		return Data{}, fmt.Errorf("VtepMAC %s is not a unicast address", d.MAC)
	}
	return d, nil
}

// scan reads the very form that Marshal and flannel write. Thousands of peers
// are planned at each change, and general JSON decoding would dominate that.
func scan(raw []byte) (d Data, ok bool) {
	const head, middle, tail = `{"VNI":`, `,"VtepMAC":"`, `"}`
	const fixed = len(middle) + len("32:11:d5:cd:3b:c9") + len(tail)
	digits := len(raw) - len(head) - fixed
	if digits < 1 || digits > 8 || string(raw[:len(head)]) != head {
		return Data{}, false
	}
	for _, c := range raw[len(head) : len(head)+digits] {
		if c < '0' || c > '9' {
			return Data{}, false
		}
		d.VNI = 10*d.VNI + uint32(c-'0')
	}
	rest := raw[len(head)+digits:]
	if d.VNI >= 1<<24 || string(rest[:len(middle)]) != middle || string(rest[fixed-len(tail):]) != tail {
		return Data{}, false
	}
	d.MAC, ok = scanMAC(rest[len(middle):])
	return d, ok
}

func scanMAC(s []byte) (mac netstate.MAC, ok bool) {
	for i := range mac {
		high, low := hexDigit(s[3*i]), hexDigit(s[3*i+1])
		if high > 15 || low > 15 || i < 5 && s[3*i+2] != ':' {
			return mac, false
		}
		mac[i] = high<<4 | low
	}
	return mac, true
}

func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

func decode(raw json.RawMessage) (Data, error) {
	if len(raw) == 0 {
		return Data{}, errors.New("no backend data, so the tunnel's MAC is unknown")
	}
	doc := struct {
		VNI     uint32
		VtepMAC string
	}{VNI: 1}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return Data{}, fmt.Errorf(`backend data %.80s is not of the form {"VNI":1,"VtepMAC":"0a:..."}`, raw)
	}
	mac, err := netstate.ParseMAC(doc.VtepMAC)
	if err != nil {
		return Data{}, fmt.Errorf("VtepMAC: %w", err)
	}
	return Data{VNI: doc.VNI, MAC: mac}, nil
}
