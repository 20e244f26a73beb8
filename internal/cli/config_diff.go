package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// leaf is one value of a config document, with its key as written there.
type leaf struct{ key, value string }

// compareDocuments lists key by key what changes from one config document to
// another, in the manner of diff: "~ Backend.Type: "vxlan" -> "host-gw"".
// Keys are the same without regard to case. A document that is not JSON counts
// as having no keys.
func compareDocuments(from, to []byte) []string {
	old, now := leaves(from), leaves(to)
	keys := slices.Sorted(maps.Keys(now))
	for k := range old {
		if _, stays := now[k]; !stays {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	var out []string
	for _, k := range keys {
		was, had := old[k]
		is, has := now[k]
		switch {
		case !had:
			out = append(out, fmt.Sprintf("+ %s: %s", oneLine(is.key), is.value))
		case !has:
			out = append(out, fmt.Sprintf("- %s: %s", oneLine(was.key), was.value))
		case was.value != is.value:
			out = append(out, fmt.Sprintf("~ %s: %s -> %s", oneLine(is.key), was.value, is.value))
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
	out[strings.ToLower(path)] = leaf{key: path, value: compact.String()}
}
