package kerneltest

import (
	"slices"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/netstate"
)

// testRename lets devices with all that stands on them make room for others of
// their names, and come back.
func testRename(t *testing.T, h Host) {
	want := state(t, base)
	settle(t, h.Kernel, scope(t), want)
	room := func(text, v4, v6 string) string {
		return strings.NewReplacer("flannel.1", v4, "flannel-v6.1", v6).Replace(text)
	}
	other := strings.ReplaceAll(links, "8472", "4789") + "\n"
	there := state(t, room(base, "w4-1-2118", "w6-1-2118")+other)
	back := state(t, base+room(other, "w4-1-12b5", "w6-1-12b5"))
	s := netstate.ScopeOf(networks, there)
	s.Links = append(s.Links, "w4-1-12b5", "w6-1-12b5")
	s.Sysctls = append(s.Sysctls, scope(t).Sysctls...)
	for _, step := range []struct {
		want    *netstate.State
		renames int
	}{{there, 2}, {back, 4}, {want, 0}} {
		ops := settle(t, h.Kernel, s, step.want)
		renamed := slices.DeleteFunc(slices.Clone(ops), func(o netstate.Op) bool { return o.Verb != netstate.Rename })
		if len(renamed) != step.renames {
			t.Errorf("these devices were renamed: %v, want %d", renamed, step.renames)
		}
		for _, o := range ops {
			switch o.Row.(type) {
			case netstate.Neigh, netstate.FDB, netstate.Route, netstate.Addr:
				t.Errorf("what stands on a renamed device was touched: %s", o)
			}
		}
	}
}
