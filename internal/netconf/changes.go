package netconf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Change is a key of the config document with another value than before. From
// and To are JSON, compact; "" where the key is absent.
type Change struct{ Key, From, To string }

// leaf is one value of a config document, with its key as written there.
type leaf struct{ key, value string }

// Changes lists key by key what differs between two config documents, ordered
// by key. Keys are the same without regard to case. A document that is not JSON
// counts as having no keys.
func Changes(from, to []byte) []Change {
	old, now := leaves(from), leaves(to)
	keys := slices.Sorted(maps.Keys(now))
	for k := range old {
		if _, stays := now[k]; !stays {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	var out []Change
	for _, k := range keys {
		was, is := old[k], now[k]
		name := is.key
		if name == "" {
			name = was.key
		}
		if was.value != is.value {
			out = append(out, Change{Key: name, From: was.value, To: is.value})
		}
	}
	return out
}

// leaves returns the values of a document by lower-case key.
func leaves(doc []byte) map[string]leaf {
	out := map[string]leaf{}
	if json.Valid(doc) {
		addLeaves(out, "", doc)
	}
	return out
}

// addLeaves walks doc in its order, so that of several spellings of a key the
// last counts, as it does when the config is read.
func addLeaves(out map[string]leaf, path string, doc json.RawMessage) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	if first, err := dec.Token(); err == nil && first == json.Delim('{') {
		for dec.More() {
			key, _ := dec.Token() // doc is known to be valid
			var value json.RawMessage
			if dec.Decode(&value) == nil {
				addLeaves(out, strings.TrimPrefix(fmt.Sprint(path, ".", key), "."), value)
			}
		}
		return
	}
	var compact bytes.Buffer
	if path == "" || json.Compact(&compact, doc) != nil {
		return
	}
	value := compact.String()
	if isSecret(path) {
		value = masked(value)
	}
	out[strings.ToLower(path)] = leaf{key: path, value: value}
}
