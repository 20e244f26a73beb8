package lease

import "slices"

// Equal reports whether a and o announce the same. Both are as ParseAttrs
// returns them: the backend's data is compared as compact JSON.
func (a Attrs) Equal(o Attrs) bool {
	return a.Backend == o.Backend && slices.Equal(a.Public, o.Public) &&
		a.Data.Same(o.Data)
}
