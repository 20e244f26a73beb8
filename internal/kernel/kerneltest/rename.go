package kerneltest

import (
	"slices"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/netstate"
)

// testRename lets devices with all that stands on them have the names of
// others that go, twice, on kernels that rename devices that are up and on
// those that do not.
func testRename(t *testing.T, h Host) {
	spare := func(text, port string) string {
		return strings.NewReplacer("8472", "4789", "flannel.1", "w4-1-"+port, "flannel-v6.1", "w6-1-"+port).Replace(text)
	}
	back := strings.NewReplacer("4789", "8472", "12b5", "2118")
	on := func(text, port string) *netstate.State {
		return state(t, strings.ReplaceAll(text, "port 8472", "port "+port))
	}
	s := netstate.ScopeOf(networks, state(t, base))
	s.Links = append(s.Links, "w4-1-12b5", "w6-1-12b5", "w4-1-2118", "w6-1-2118")
	steps := []struct {
		want    *netstate.State
		renames int
	}{
		{on(base, "8472"), 0},
		{state(t, links+spare(base, "12b5")), 0}, // all that stands on the former devices moves
		{on(base, "4789"), 2},
		{state(t, strings.ReplaceAll(links, "8472", "4789")+back.Replace(spare(base, "12b5"))), 0},
		{on(base, "8472"), 2},
	}
	for _, step := range steps {
		s.Sysctls = append(s.Sysctls, netstate.ScopeOf(networks, step.want).Sysctls...)
	}
	slices.Sort(s.Sysctls)
	s.Sysctls = slices.Compact(s.Sysctls)
	for _, step := range steps {
		ops := settle(t, h.Kernel, s, step.want)
		renamed := slices.DeleteFunc(slices.Clone(ops), func(o netstate.Op) bool { return o.Verb != netstate.Rename })
		if len(renamed) != step.renames {
			t.Errorf("these devices were renamed: %v, want %d", renamed, step.renames)
		}
		for _, o := range ops {
			switch o.Row.(type) {
			case netstate.Neigh, netstate.FDB, netstate.Route, netstate.Addr:
				if step.renames > 0 {
					t.Errorf("what stands on a renamed device was touched: %s", o)
				}
			}
		}
	}
}
