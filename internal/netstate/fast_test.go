package netstate

import (
	"slices"
	"strings"
	"testing"
)

// TestFastPathsAreUsedLastAndLeftFirst: programs are attached when they know
// all, and detached before they forget.
func TestFastPathsAreUsedLastAndLeftFirst(t *testing.T) {
	s := parse(t, sample)
	var gone []string
	for _, l := range lines(Diff(s, &State{})) {
		if strings.HasPrefix(l, "- fast") || strings.HasPrefix(l, "- route 172.7.22.0") {
			gone = append(gone, strings.Fields(l)[1])
		}
	}
	want := []string{"fasthook", "fasthook", "fasthook", "fastbridge", "fastpod", "fastremote", "fastremote", "fastpath", "fastpath", "route"}
	if !slices.Equal(gone, want) {
		t.Errorf("removed in the order %q, want %q", gone, want)
	}
}

// TestAnotherModeReplacesThePrograms and nothing that they know.
func TestAnotherModeReplacesThePrograms(t *testing.T) {
	have, want := parse(t, sample), parse(t, strings.Replace(sample, "mode all", "mode established", 1))
	got := lines(Diff(have, want))
	if len(got) != 1 || !strings.HasPrefix(got[0], "~ fastpath weft mode established") {
		t.Errorf("got %q", got)
	}
	have.Drop(FastPath{Name: "weft"})
	if have.Fast.Hooks.Len()+have.Fast.Bridges.Len()+have.Fast.Pods.Len()+have.Fast.Remotes.Len() > 0 || have.Fast.Paths.Len() != 1 {
		t.Errorf("what belongs to programs that went stays:\n%s", have)
	}
}
