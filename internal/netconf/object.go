package netconf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// object is a JSON object being read: its members that were not taken yet,
// and what was wrong with those that were. Keys match without regard to case
// and the last of several counts, as with encoding/json, which flannel uses.
type object struct {
	path    string // the prefix of a key in messages: "", "Backend."
	members []member
	errs    []error

	repeated []string // keys that stand there more than once, inner objects' included; in the order of reading
}

type member struct {
	key string
	raw json.RawMessage
}

// newObject reads doc, which must be valid JSON and an object.
func newObject(path string, doc []byte) *object {
	o := &object{path: path}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.Token() // the brace; errors cannot happen in valid JSON
	for dec.More() {
		key, _ := dec.Token()
		var raw json.RawMessage
		dec.Decode(&raw)
		name, _ := key.(string)
		if slices.ContainsFunc(o.members, func(m member) bool { return strings.EqualFold(m.key, name) }) {
			o.repeated = append(o.repeated, path+name)
		}
		o.members = append(o.members, member{name, raw})
	}
	return o
}

// take removes key and returns its value, nil if it is absent or null.
func (o *object) take(key string) json.RawMessage {
	var raw json.RawMessage
	o.members = slices.DeleteFunc(o.members, func(m member) bool {
		if !strings.EqualFold(m.key, key) {
			return false
		}
		if string(m.raw) != "null" {
			raw = m.raw
		}
		return true
	})
	return raw
}

// rest lists the keys that were not taken, sorted.
func (o *object) rest() []string {
	var keys []string
	for _, m := range o.members {
		keys = append(keys, o.path+m.key)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// include takes over what was found in an inner object.
func (o *object) include(in *object) {
	o.errs = append(o.errs, in.errs...)
	o.repeated = append(o.repeated, in.repeated...)
}

// refuse records that a value is wrong; want is what is allowed.
func (o *object) refuse(key string, value any, want string, args ...any) {
	if raw, ok := value.(json.RawMessage); ok {
		value = shorten(raw)
	}
	o.errs = append(o.errs, fmt.Errorf("%s%s %v: %s", o.path, key, value, fmt.Sprintf(want, args...)))
}

func (o *object) bool(key string, absent bool) bool {
	raw := o.take(key)
	switch string(raw) {
	case "":
		return absent
	case "true":
		return true
	case "false":
		return false
	}
	o.refuse(key, raw, "must be true or false, without quotes")
	return absent
}

// uint reads a number from low to high; zero stands for "as if absent" where
// zeroOK.
func (o *object) uint(key string, absent, low, high uint64, zeroOK bool) uint64 {
	raw := o.take(key)
	if raw == nil {
		return absent
	}
	n, err := strconv.ParseUint(string(raw), 10, 64)
	if err == nil && n == 0 && zeroOK {
		return absent
	}
	if err != nil || n < low || n > high {
		o.refuse(key, raw, "must be a whole number from %d to %d, without quotes", low, high)
		return absent
	}
	return n
}

func (o *object) string(key, want string) string {
	raw := o.take(key)
	if raw == nil {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		o.refuse(key, raw, "%s", want)
	}
	return s
}

// prefix reads a CIDR of family f; host bits are masked away. The zero Prefix
// if it is absent or wrong.
func (o *object) prefix(key string, f Family) (p netip.Prefix, ok bool) {
	raw := o.take(key)
	if raw == nil {
		return netip.Prefix{}, true
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		p, err := netip.ParsePrefix(s)
		if err == nil && isOf(p.Addr(), f) {
			return p.Masked(), true
		}
	}
	o.refuse(key, raw, "must be an %s network in quotes, such as %q", f, examples[f].network)
	return netip.Prefix{}, false
}

// addr reads an address of family f; the zero Addr if it is absent,
// unspecified (0.0.0.0, ::) or wrong.
func (o *object) addr(key string, f Family) (a netip.Addr, ok bool) {
	raw := o.take(key)
	if raw == nil {
		return netip.Addr{}, true
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		a, err := netip.ParseAddr(s)
		if err == nil && a.IsUnspecified() && isOf(a, f) {
			return netip.Addr{}, true
		}
		if err == nil && isOf(a, f) {
			return a, true
		}
	}
	o.refuse(key, raw, "must be an %s address in quotes, such as %q", f, examples[f].addr)
	return netip.Addr{}, false
}

var examples = map[Family]struct{ network, addr string }{
	V4: {"10.244.0.0/16", "10.244.1.0"},
	V6: {"fd00:244::/48", "fd00:244:0:1::"},
}

// isOf tells whether a is a plain address of family f, without a zone.
// IPv4-mapped IPv6 (::ffff:10.0.0.0) is of neither: it is refused everywhere.
func isOf(a netip.Addr, f Family) bool {
	return a.Zone() == "" && !a.Is4In6() && FamilyOf(a) == f
}

// shorten makes a value fit into a message.
func shorten(raw []byte) string {
	if len(raw) <= 60 {
		return string(raw)
	}
	return strings.ToValidUTF8(string(raw[:57]), "") + "..."
}
