package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/api"
)

// fastPathLine says what the fast path carries, and why the rest takes the
// kernel's path: the most frequent reason first.
func fastPathLine(f api.FastPath) string {
	line := "on"
	if f.Mode != "all" {
		line = "on for " + f.Mode + " connections"
	}
	share, ok := f.Share()
	if !ok {
		return line + ", no packets yet"
	}
	line += fmt.Sprintf(", %.0f %% of packets", 100*share)
	reasons := slices.SortedFunc(maps.Keys(f.Slow), func(a, b string) int {
		return cmp.Or(cmp.Compare(f.Slow[b], f.Slow[a]), strings.Compare(a, b))
	})
	if len(reasons) > 0 {
		line += "; the others: " + strings.Join(reasons, ", ")
	}
	return line
}
