package docker

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// ConflictError says that daemon.json has a value from somebody else that
// contradicts this host's subnet.
type ConflictError struct {
	Key, Value string // as they are in the file
	Why        string
	Fix        string
}

// Error names the key, its value and what is wrong with it.
func (e *ConflictError) Error() string { return fmt.Sprintf("%q is %s: %s", e.Key, e.Value, e.Why) }

// Hint says what to do.
func (e *ConflictError) Hint() string { return e.Fix }

// check refuses what Docker could not start with, what would give containers
// addresses outside any subnet, and values that somebody else set.
func check(o object, want []Setting) error {
	for _, s := range want {
		if _, times := o.find(s.Key); times > 1 {
			return &ConflictError{s.Key, o.get(s.Key), fmt.Sprintf("the key is there %d times", times), "keep at most one of them"}
		}
		have := o.get(s.Key)
		if fixed := s.Key == keyAddress || s.Key == keyFixedV6; fixed && have != "" && !equal(have, s.Value) {
			return &ConflictError{s.Key, have,
				fmt.Sprintf("somebody else set it, and this host's subnet requires %s", s.Value),
				fmt.Sprintf("remove %q from the file, or lease that subnet to this host (docs/guides/config.md, \"Pin a subnet\")", s.Key)}
		}
		if s.Key != keyAddress {
			continue
		}
		if err := checkAround(o, s.Value); err != nil {
			return err
		}
	}
	return nil
}

// checkAround checks the keys that depend on the bridge's address.
func checkAround(o object, address string) error {
	if have := o.get(keyBridge); have != "" && have != `""` && have != "null" {
		return &ConflictError{keyBridge, have, "Docker accepts either a bridge of your own or an address for its default bridge",
			fmt.Sprintf("remove %q from the file, or give that bridge the address %s yourself", keyBridge, address)}
	}
	subnet, err := netip.ParsePrefix(strings.Trim(address, `"`))
	if have := o.get(keyFixed); have != "" && err == nil && !lies(have, subnet.Masked()) {
		return &ConflictError{keyFixed, have, fmt.Sprintf("it is not in this host's subnet %s", subnet.Masked()),
			fmt.Sprintf("remove %q from the file", keyFixed)}
	}
	return nil
}

// lies reports whether a JSON value is a prefix within subnet.
func lies(value string, subnet netip.Prefix) bool {
	var text string
	if json.Unmarshal([]byte(value), &text) != nil {
		return false
	}
	p, err := netip.ParsePrefix(text)
	return err == nil && subnet.Contains(p.Addr()) && p.Bits() >= subnet.Bits()
}

// equal compares two JSON values: prefixes by what they mean, others by what
// they say.
func equal(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	s, isText := x.(string)
	t, isText2 := y.(string)
	if isText && isText2 {
		p, err1 := netip.ParsePrefix(s)
		q, err2 := netip.ParsePrefix(t)
		return s == t || err1 == nil && err2 == nil && p == q
	}
	if isScalar(x) && isScalar(y) {
		return x == y
	}
	return false
}

func isScalar(v any) bool {
	switch v.(type) {
	case string, float64, bool:
		return true
	}
	return false
}

// merge sets what is wanted, and gives those keys back their value in base
// that an earlier merge set and that are wanted no longer.
func merge(now, base object, earlier map[string]string, want []Setting) object {
	for _, s := range want {
		if !equal(now.get(s.Key), s.Value) {
			now = now.with(s.Key, s.Value)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(earlier)) {
		wanted := slices.ContainsFunc(want, func(s Setting) bool { return s.Key == key })
		if !wanted && now.get(key) == earlier[key] {
			now = now.with(key, base.get(key))
		}
	}
	return now
}
