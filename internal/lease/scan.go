package lease

import (
	"encoding/json"
	"strings"
	"unique"
)

// scan reads doc if it has the very form in which flannel and MarshalAttrs
// write a lease of one family. An agent reads all leases of its network when
// it starts, and general JSON decoding would be most of that.
func (v *value) scan(doc []byte) bool {
	for _, c := range doc {
		if c <= ' ' || c > '~' || c == '\\' {
			return false
		}
	}
	s, ok := strings.CutPrefix(string(doc), `{"PublicIP":`)
	if ok {
		v.PublicIP, s, ok = scanText(s)
	}
	if ok {
		s, ok = strings.CutPrefix(s, `,"PublicIPv6":`)
	}
	if ok {
		v.PublicIPv6, s, ok = scanText(s)
	}
	if ok {
		s, ok = strings.CutPrefix(s, `,"BackendType":"`)
	}
	if !ok {
		return false
	}
	backend, s, ok := strings.Cut(s, `"`)
	v.BackendType = unique.Make(backend).Value() // not a part of doc, which it would keep, and the same for all hosts
	if !ok || s == "}" {
		return ok
	}
	s, ok = strings.CutPrefix(s, `,"BackendData":`)
	data, closed := strings.CutSuffix(s, "}")
	v.BackendData = json.RawMessage(data)
	return ok && closed && json.Valid(v.BackendData) // what follows the data makes it invalid
}

// scanText takes a string without escapes, or null, off s.
func scanText(s string) (text *string, rest string, ok bool) {
	if rest, ok := strings.CutPrefix(s, "null"); ok {
		return nil, rest, true
	}
	if s, ok = strings.CutPrefix(s, `"`); !ok {
		return nil, "", false
	}
	found, rest, ok := strings.Cut(s, `"`)
	return &found, rest, ok
}

// isPlain reports whether valid JSON has nothing that encoding/json would
// write in another way: no space, no character that it escapes.
func isPlain(raw json.RawMessage) bool {
	for _, c := range raw {
		if c <= ' ' || c > '~' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}
