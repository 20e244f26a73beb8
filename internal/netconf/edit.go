package netconf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Setting is a change of one key of a document.
type Setting struct {
	Key   string          // of an inner object after its name and a dot: "Backend.VNI"
	Value json.RawMessage // valid JSON; nil: the key is removed
}

// Edit returns doc with the settings applied in their order. Everything else
// stays as it is written, the order of keys included; keys are found without
// regard to case, and new ones come last. A document that spans lines is
// indented anew. An empty doc stands for an empty object. The error says what
// is not an object.
func Edit(doc []byte, settings ...Setting) ([]byte, error) {
	if len(bytes.TrimSpace(doc)) == 0 {
		doc = []byte("{}")
	}
	if err := checkObject(doc); err != nil {
		return nil, err
	}
	out := json.RawMessage(bytes.TrimSpace(doc))
	for _, s := range settings {
		var err error
		if out, err = edited(out, s.Key, s.Value); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Key, err)
		}
	}
	if !bytes.ContainsRune(bytes.TrimSpace(doc), '\n') {
		return out, nil
	}
	var b bytes.Buffer
	err := json.Indent(&b, out, "", "  ")
	return append(b.Bytes(), '\n'), err
}

// edited returns the object doc with the key at path set to value, or without
// it if value is nil.
func edited(doc json.RawMessage, path string, value json.RawMessage) (json.RawMessage, error) {
	name, inner, deep := strings.Cut(path, ".")
	if len(doc) == 0 || doc[0] != '{' {
		return nil, fmt.Errorf("%s is not an object", shorten(doc))
	}
	o := newObject("", doc)
	if deep {
		was := json.RawMessage("{}")
		for _, m := range o.members {
			if strings.EqualFold(m.key, name) {
				name, was = m.key, m.raw // the last counts
			}
		}
		var err error
		if value, err = edited(was, inner, value); err != nil {
			return nil, err
		}
		if string(value) == "{}" && string(was) == "{}" {
			return doc, nil // nothing was there to remove
		}
	}
	o.set(name, value)
	return o.format(), nil
}

// set gives every member of that name the value, removes them if it is nil,
// and adds one if there is none.
func (o *object) set(name string, value json.RawMessage) {
	kept, found := o.members[:0], false
	for _, m := range o.members {
		if !strings.EqualFold(m.key, name) {
			kept = append(kept, m)
		} else if value != nil && !found {
			kept, found = append(kept, member{m.key, value}), true
		}
	}
	if value != nil && !found {
		kept = append(kept, member{name, value})
	}
	o.members = kept
}

// format is the object on one line.
func (o *object) format() json.RawMessage {
	parts := make([]string, len(o.members))
	for i, m := range o.members {
		key, _ := json.Marshal(m.key) // of a string, which cannot fail
		parts[i] = fmt.Sprintf("%s: %s", key, m.raw)
	}
	return json.RawMessage("{" + strings.Join(parts, ", ") + "}")
}
