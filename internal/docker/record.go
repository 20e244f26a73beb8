package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// record is stored beside daemon.json, to undo weft's changes.
type record struct {
	Existed bool              `json:"existed"`           // whether the file was there
	MadeDir bool              `json:"madeDir,omitempty"` // whether its directory was not
	Before  string            `json:"before"`            // the file's text without weft's keys
	After   string            `json:"after"`             // SHA-256 of the text that weft wrote
	Keys    map[string]string `json:"keys"`              // what weft set, as JSON, where Before differs
}

func parseRecord(data []byte) (*record, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("not a record of weft's: %w", err)
	}
	if _, err := parseObject(r.Before); err != nil {
		return nil, fmt.Errorf("not a record of weft's: the earlier text in it is %w", err)
	}
	return &r, nil
}

func (r *record) format() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	return append(data, '\n'), err
}

func sum(text string) string {
	digest := sha256.Sum256([]byte(text))
	return hex.EncodeToString(digest[:])
}

// content is a file: its text, and whether there is one.
type content struct {
	text   string
	exists bool
}

// undo returns the file without weft's settings, and weft's keys that were
// changed by others since, which it keeps. A file that is as weft left it
// becomes what it was, byte for byte.
func undo(now content, r *record) (before content, changed []string, err error) {
	switch {
	case r == nil:
		return now, nil, nil
	case !now.exists:
		return now, nil, nil // somebody removed it, and weft's keys with it
	case sum(now.text) == r.After:
		return content{r.Before, r.Existed}, nil, nil
	}
	o, err := parseObject(now.text)
	if err != nil {
		return content{}, nil, err
	}
	old, err := parseObject(r.Before)
	if err != nil {
		return content{}, nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(r.Keys)) {
		switch have := o.get(key); {
		case have != "" && equal(have, r.Keys[key]):
			o = o.with(key, old.get(key))
		case have != old.get(key):
			changed = append(changed, key)
		}
	}
	if len(o.members) == 0 && !r.Existed {
		return content{}, changed, nil
	}
	return content{o.String(), true}, changed, nil
}
