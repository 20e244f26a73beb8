package cli

import (
	"context"

	"github.com/weft-net/weft/internal/check"
	"github.com/weft-net/weft/internal/kernel/echo"
)

// sendMarks sends the packets that show whether what is to be encrypted is.
func sendMarks(ctx context.Context, f *check.Facts) {
	marks, hidden := check.Marks(f)
	if len(marks) == 0 {
		return
	}
	packets := make([]echo.Marked, len(marks))
	for i, m := range marks {
		packets[i] = echo.Marked{Source: m.Source, Dest: m.Dest}
	}
	found, missed, err := echo.SendMarked(ctx, packets, hidden)
	if err != nil {
		f.MarksErr = err.Error()
		return
	}
	for i, one := range found {
		marks[i].Answered, marks[i].Clear = one.Answered, one.Clear
	}
	f.Marks, f.MarksMissed = marks, missed
}
