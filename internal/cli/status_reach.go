package cli

import (
	"fmt"
	"time"

	"github.com/weft-net/weft/internal/api"
)

// reachText says what probes have shown of a path: "ok", "12% loss",
// "no answer since 10:04:05", "unmeasured"; "-" if it is not probed.
func reachText(p api.Path) string {
	switch r := p.Reach; {
	case r.State == "":
		return "-"
	case r.State == api.ReachLost && r.Answered.IsZero():
		return "no answer"
	case r.State == api.ReachLost:
		return "no answer since " + clock(r.Answered, r.Since)
	case r.State == api.ReachUnmeasured:
		return string(api.ReachUnmeasured)
	case r.Loss >= 0.005:
		return fmt.Sprintf("%.0f%% loss", 100*r.Loss)
	}
	return "ok"
}

// clock is the time of day of t, with the date if it was not on the day of
// another time, which is later.
func clock(t, other time.Time) string {
	t = t.Local()
	if t.YearDay() != other.Local().YearDay() || other.Sub(t) > 24*time.Hour {
		return t.Format("2006-01-02 15:04:05")
	}
	return t.Format(time.TimeOnly)
}

// rttText is the round trip on a path.
func rttText(p api.Path) string {
	if p.Reach.RTT == 0 || p.Reach.State != api.ReachPasses {
		return "-"
	}
	return milliseconds(p.Reach.RTT)
}

// milliseconds is a duration as ping(8) prints it, with fewer digits.
func milliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms < 0.1:
		return fmt.Sprintf("%.2fms", ms)
	case ms < 10:
		return fmt.Sprintf("%.1fms", ms)
	}
	return fmt.Sprintf("%.0fms", ms)
}

// mtuText is the largest packet that passes, if that is less than it should be.
func mtuText(p api.Path) string {
	if p.Reach.MTU == 0 {
		return "-"
	}
	return fmt.Sprint(p.Reach.MTU)
}

func isLost(p api.Path) bool { return p.Reach.State == api.ReachLost }
