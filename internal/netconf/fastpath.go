package netconf

import "encoding/json"

// The values of FastPath, and of the flag that overrides it on a host.
const (
	FastPathOff  = "off"
	FastPathAuto = "auto"
)

// ParseFastPath returns what a value of FastPath says; ok is false for any other.
func ParseFastPath(s string) (c Choice, ok bool) {
	switch s {
	case FastPathOff:
		return No, true
	case FastPathAuto:
		return Yes, true
	}
	return Unsaid, false
}

// parseFastPath reads the key FastPath, which is off if it is absent.
func parseFastPath(o *object) bool {
	raw := o.take("FastPath")
	if raw == nil {
		return false
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		if c, ok := ParseFastPath(s); ok {
			return c.Or(false)
		}
	}
	o.refuse("FastPath", raw, "must be %q or %q, in quotes", FastPathAuto, FastPathOff)
	return false
}
