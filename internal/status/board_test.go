package status

import (
	"errors"
	"testing"

	"github.com/weft-net/weft/internal/intent"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/reconcile"
)

// A plan that is held leaves what stands alone, so the host stays reachable.
func TestAHeldPlanLeavesTheHostReachable(t *testing.T) {
	b := NewBoard(Options{})
	b.Step(intent.View{Input: &plan.Input{}, Receiving: 1})
	held := reconcile.Pass{Generation: 2, Held: errors.New("most routes would go")}
	if b.Pass(held); b.Reachable() == nil {
		t.Error("reachable before any plan was applied")
	}
	b.Pass(reconcile.Pass{Generation: 1})
	if b.Pass(held); b.Reachable() != nil {
		t.Error(b.Reachable())
	}
}
