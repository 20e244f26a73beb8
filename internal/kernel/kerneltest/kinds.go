package kerneltest

import (
	"testing"

	"github.com/weft-net/weft/internal/netstate"
)

// testKinds observes one kind of objects after the other: each look has the
// objects of its kind and no others, and looks at one kind do not harm what is
// known of the rest.
func testKinds(t *testing.T, h Host) {
	want, s := state(t, base+rules), scope(t)
	s.Tables = netstate.ScopeOf(networks, want).Tables
	settle(t, h.Kernel, s, want)
	full := observe(t, h.Kernel, s)
	pieces := &netstate.State{}
	for k := netstate.LinkKind; k <= netstate.FirewallKind; k <<= 1 {
		got, err := h.Kernel.Observe(t.Context(), s, k)
		if err != nil {
			t.Fatal(err)
		}
		if wanted := (&netstate.State{}).Replaced(k, full); got.String() != wanted.String() {
			t.Errorf("a look at kinds %b finds\n%snot\n%s", k, got, wanted)
		}
		pieces = pieces.Replaced(k, got)
	}
	if pieces.String() != full.String() {
		t.Errorf("kind by kind:\n%sat once:\n%s", pieces, full)
	}
	// Changes work after a look at something else.
	if _, err := h.Kernel.Observe(t.Context(), s, netstate.NeighKind); err != nil {
		t.Fatal(err)
	}
	apply(t, h.Kernel, netstate.Diff(full, state(t, links))...)
	expect(t, h.Kernel, s, netstate.Observed(full).Settle(state(t, links)).State)
}
