package hostlock

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// Things are what an agent uses on its host, and no other agent may.
type Things struct {
	Networks []netip.Prefix `json:"networks,omitempty"` // whose routes it keeps
	Devices  []string       `json:"devices,omitempty"`
	Tables   []string       `json:"tables,omitempty"` // of nftables, family inet
}

// normal returns a copy of t that is sorted and without repetitions.
func (t Things) normal() (Things, error) {
	out := Things{Devices: unique(t.Devices, cmp.Compare[string]), Tables: unique(t.Tables, cmp.Compare[string])}
	for _, n := range t.Networks {
		if !n.IsValid() || n.Addr().Is4In6() {
			return Things{}, fmt.Errorf("host lock: %s is not a network", n)
		}
		out.Networks = append(out.Networks, n.Masked())
	}
	out.Networks = unique(out.Networks, netip.Prefix.Compare)
	return out, nil
}

func unique[T comparable](list []T, compare func(T, T) int) []T {
	return slices.Compact(slices.SortedFunc(slices.Values(list), compare))
}

func (t Things) equal(o Things) bool {
	return slices.Equal(t.Networks, o.Networks) && slices.Equal(t.Devices, o.Devices) && slices.Equal(t.Tables, o.Tables)
}

// conflict returns in words the first of t that another agent uses, "" if there
// is none.
func (t Things) conflict(other Things) string {
	for _, d := range t.Devices {
		if slices.Contains(other.Devices, d) {
			return "device " + d + " is used by"
		}
	}
	for _, n := range t.Tables {
		if slices.Contains(other.Tables, n) {
			return "table inet " + n + " is used by"
		}
	}
	for _, mine := range t.Networks {
		for _, theirs := range other.Networks {
			switch {
			case mine == theirs:
				return fmt.Sprintf("network %s is used by", mine)
			case mine.Overlaps(theirs):
				return fmt.Sprintf("network %s overlaps %s, which is used by", mine, theirs)
			}
		}
	}
	return ""
}
