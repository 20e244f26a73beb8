package lease

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/weft-net/weft/internal/netconf"
)

// value is flannel's JSON of a lease. Names, order and what is left out when
// empty are the format: an absent IPv4 address is "0.0.0.0", an absent IPv6
// address is null.
type value struct {
	PublicIP      *string
	PublicIPv6    *string
	BackendType   string          `json:",omitempty"`
	BackendData   json.RawMessage `json:",omitempty"`
	BackendV6Data json.RawMessage `json:",omitempty"`
}

// MarshalAttrs returns a as flannel writes it into the store, byte for byte.
// It refuses what ParseAttrs would not read back.
func MarshalAttrs(a Attrs) ([]byte, error) {
	v4 := netip.IPv4Unspecified().String()
	v := value{PublicIP: &v4, BackendType: a.Backend}
	seen := map[netconf.Family]bool{}
	for _, p := range a.Public {
		f := netconf.FamilyOf(p)
		if err := checkPublic(p, f); err != nil {
			return nil, fmt.Errorf("lease value: public address: %w", err)
		}
		if seen[f] {
			return nil, fmt.Errorf("lease value: two public addresses of family %s: a lease holds one", f)
		}
		seen[f] = true
		s := p.String()
		if f == netconf.V4 {
			v.PublicIP = &s
		} else {
			v.PublicIPv6 = &s
		}
	}
	if err := checkBackend(a.Backend); err != nil {
		return nil, err
	}
	for _, f := range netconf.Families {
		d := a.Data.Of(f)
		if len(d) > 0 && !json.Valid(d) {
			return nil, fmt.Errorf("lease value: the %s backend data %q is not JSON", f, d)
		}
	}
	v.BackendData, v.BackendV6Data = a.Data.Of(netconf.V4), a.Data.Of(netconf.V6)
	return json.Marshal(v)
}

// ParseAttrs reads what flannel or MarshalAttrs wrote. Unknown keys, an
// absent BackendType and absent addresses are fine (a reservation announces
// nothing); an address that peers could never reach is an error.
func ParseAttrs(doc []byte) (Attrs, error) {
	if !bytes.HasPrefix(bytes.TrimLeft(doc, " \t\r\n"), []byte("{")) {
		return Attrs{}, fmt.Errorf("lease value %.40q is not a JSON object", doc)
	}
	var v value
	if v.scan(doc) {
		return v.attrs()
	}
	v = value{}
	if err := json.Unmarshal(doc, &v); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return Attrs{}, fmt.Errorf("lease value: %s is a JSON %s, must be a string", wrong.Field, wrong.Value)
		}
		return Attrs{}, fmt.Errorf("lease value is not JSON: %w", err)
	}
	return v.attrs()
}

// attrs checks what was read.
func (v value) attrs() (Attrs, error) {
	if err := checkBackend(v.BackendType); err != nil {
		return Attrs{}, err
	}
	a := Attrs{Backend: v.BackendType}
	for _, f := range netconf.Families {
		if err := a.parseFamily(v, f); err != nil {
			return Attrs{}, err
		}
	}
	return a, nil
}

func (a *Attrs) parseFamily(v value, f netconf.Family) error {
	name, addr, data := "PublicIP", v.PublicIP, v.BackendData
	if f == netconf.V6 {
		name, addr, data = "PublicIPv6", v.PublicIPv6, v.BackendV6Data
	}
	if addr != nil {
		p, err := netip.ParseAddr(*addr)
		if err != nil || !hasFamily(p, f) {
			return fmt.Errorf("lease value: %s %q is not an %s address", name, *addr, f)
		}
		if !p.IsUnspecified() {
			if err := checkPublic(p, f); err != nil {
				return fmt.Errorf("lease value: %s: %w", name, err)
			}
			a.Public = append(a.Public, p)
		}
	}
	data, err := compact(data)
	if err != nil {
		return fmt.Errorf("lease value: backend data of %s: %w", f, err)
	}
	if data != nil {
		a.Data = a.Data.With(f, data)
	}
	return nil
}

// compact returns raw in the form in which it is written again, nil for
// nothing and null.
func compact(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if isPlain(raw) {
		return raw, nil
	}
	return json.Marshal(raw)
}

// checkPublic refuses an address to which no peer can send.
func checkPublic(a netip.Addr, f netconf.Family) error {
	switch {
	case !hasFamily(a, f):
		return fmt.Errorf("%s is not a plain %s address", a, f)
	case a.IsUnspecified(), a.IsLoopback(), a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("%s is not the address of one host on a network", a)
	}
	return nil
}

// checkBackend keeps control characters and the like out of logs and tables.
func checkBackend(name string) error {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	}
	if strings.ContainsFunc(name, odd) || len(name) > 64 {
		return fmt.Errorf("lease value: BackendType %.80q is not the name of a backend: up to 64 letters, digits, '-', '_' and '.'", name)
	}
	return nil
}
