package lease

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// Equal reports whether a and o announce the same. Both are as ParseAttrs
// returns them: the backend's data is compared as compact JSON.
func (a Attrs) Equal(o Attrs) bool {
	return a.Backend == o.Backend && slices.Equal(a.Public, o.Public) &&
		maps.EqualFunc(a.Data, o.Data, func(x, y json.RawMessage) bool { return bytes.Equal(x, y) })
}
