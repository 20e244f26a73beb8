package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// object is a JSON object together with its layout: its text is what was
// parsed, byte for byte, until a member changes.
type object struct {
	head, tail string // up to the opening brace, from the closing one
	blank      string // the text in an object without members
	members    []member
}

// member is one key with the text around it; members joined by commas are the
// inside of an object.
type member struct {
	key   string // decoded
	lead  string // white space, and the key as it is written
	colon string // between key and value
	value string // JSON
	trail string // white space up to the comma or the brace
}

// byteOrderMark is what some editors write at the start of a file in UTF-8.
// Docker 23 and later skip it; it stays where it is.
const byteOrderMark = "\ufeff"

// parseObject takes a document. One of white space only counts as {}: newer
// Dockers accept it as that, and older ones refuse it.
func parseObject(text string) (object, error) {
	if strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
		return object{}, errors.New("not JSON in UTF-8: it is in UTF-16; save it as UTF-8")
	}
	text, marked := strings.CutPrefix(text, byteOrderMark)
	o, err := parseText(text)
	if marked {
		o.head = byteOrderMark + o.head
	}
	return o, err
}

// parseText is parseObject without a byte order mark.
func parseText(text string) (object, error) {
	if strings.TrimSpace(text) == "" {
		return object{head: "{", tail: "}\n"}, nil
	}
	if err := checkObject(text); err != nil {
		return object{}, err
	}
	dec := json.NewDecoder(strings.NewReader(text))
	if _, err := dec.Token(); err != nil {
		return object{}, err
	}
	at := int(dec.InputOffset())
	o := object{head: text[:at]}
	for dec.More() {
		m, end, err := nextMember(dec, text, at)
		if err != nil {
			return object{}, err
		}
		o.members = append(o.members, m)
		if at = end; text[at] == ',' {
			at++
		}
	}
	end := strings.LastIndexByte(text, '}')
	if len(o.members) == 0 {
		o.blank = text[at:end]
	}
	o.tail = text[end:]
	return o, nil
}

// checkObject returns where text is not JSON, or that it is not an object.
func checkObject(text string) error {
	var raw json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return fmt.Errorf("not JSON: line %d: %w", 1+strings.Count(text[:syntax.Offset], "\n"), err)
		}
		return fmt.Errorf("not JSON: %w", err)
	}
	if start := strings.TrimSpace(text); start[0] != '{' {
		return fmt.Errorf("not a JSON object: it begins with %.20q", start)
	}
	return nil
}

// nextMember reads the member whose text begins at offset at, and returns
// where it ends.
func nextMember(dec *json.Decoder, text string, at int) (m member, end int, err error) {
	token, err := dec.Token()
	if err != nil {
		return m, 0, err
	}
	m.key, _ = token.(string) // nothing else is a key
	name := int(dec.InputOffset())
	var value json.RawMessage
	if err := dec.Decode(&value); err != nil {
		return m, 0, err
	}
	stop := int(dec.InputOffset())
	start := stop - len(value)
	end = len(text) - len(strings.TrimLeft(text[stop:], " \t\r\n"))
	m.lead, m.colon, m.value, m.trail = text[at:name], text[name:start], text[start:stop], text[stop:end]
	return m, end, nil
}

// String is the document's text.
func (o object) String() string {
	if len(o.members) == 0 {
		return o.head + o.blank + o.tail
	}
	parts := make([]string, len(o.members))
	for i, m := range o.members {
		parts[i] = m.lead + m.colon + m.value + m.trail
	}
	return o.head + strings.Join(parts, ",") + o.tail
}

// find returns the index of key, -1 if it is not there, and how often it is.
func (o object) find(key string) (index, times int) {
	index = -1
	for i, m := range o.members {
		if m.key == key {
			index = i
			times++
		}
	}
	return index, times
}

// get returns the value of key as JSON, "" if it is not there.
func (o object) get(key string) string {
	if i, _ := o.find(key); i >= 0 {
		return o.members[i].value
	}
	return ""
}

// with returns the object with key set to value, in its place or at the end;
// value "" removes it.
func (o object) with(key, value string) object {
	i, _ := o.find(key)
	o.members = slices.Clone(o.members)
	switch {
	case i >= 0 && value != "":
		o.members[i].value = value
	case i >= 0:
		o.remove(i)
	case value != "":
		o.add(key, value)
	}
	return o
}

// add appends a member laid out as those before it.
func (o *object) add(key, value string) {
	m := member{key: key, colon: ": ", value: value, trail: "\n"}
	space := "\n  "
	if n := len(o.members); n > 0 {
		last := &o.members[n-1]
		m.colon, m.trail = last.colon, last.trail
		space = last.space()
		if n == 1 && space == "" {
			space = " "
		}
		last.trail = ""
	}
	m.lead = space + `"` + key + `"`
	o.members = append(o.members, m)
}

func (o *object) remove(i int) {
	if last := len(o.members) - 1; i == last && i > 0 {
		o.members[i-1].trail = o.members[i].trail
	}
	o.members, o.blank = slices.Delete(o.members, i, i+1), ""
}

// space is the text before the key.
func (m member) space() string {
	return m.lead[:strings.IndexByte(m.lead, '"')]
}
