package lease

import (
	"bytes"
	"encoding/json"

	"github.com/weft-net/weft/internal/netconf"
)

// Data is the backend's own part of a lease, by family; a missing family has
// no data. The JSON is compact and valid, and must not be changed.
type Data struct{ V4, V6 json.RawMessage }

// Of returns the data of family f, nil if there is none.
func (d Data) Of(f netconf.Family) json.RawMessage {
	if f == netconf.V6 {
		return d.V6
	}
	return d.V4
}

// With returns d with raw as the data of family f.
func (d Data) With(f netconf.Family, raw json.RawMessage) Data {
	if f == netconf.V6 {
		d.V6 = raw
	} else {
		d.V4 = raw
	}
	return d
}

// Empty reports whether no family has data.
func (d Data) Empty() bool { return len(d.V4) == 0 && len(d.V6) == 0 }

// Same reports whether d and o hold the same.
func (d Data) Same(o Data) bool { return bytes.Equal(d.V4, o.V4) && bytes.Equal(d.V6, o.V6) }
