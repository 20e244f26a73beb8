package cli

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

func orNone(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func addrs(list []netip.Addr) string {
	var parts []string
	for _, a := range list {
		parts = append(parts, a.String())
	}
	return orNone(strings.Join(parts, ","))
}

// since says how long ago t was, "-" if never.
func since(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return coarse(now.Sub(t))
}

// until says when something ends.
func until(t, now time.Time) string {
	if left := t.Sub(now); left > 0 {
		return "ends in " + coarse(left) + " unless renewed"
	}
	return "ended " + coarse(now.Sub(t)) + " ago"
}

// coarse rounds d to what a reader needs: 350ms, 12s, 4m30s, 23h59m, 9d4h.
func coarse(d time.Duration) string {
	switch {
	case d < time.Second:
		return max(d, 0).Round(time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	d = d.Round(time.Minute)
	days := d / (24 * time.Hour)
	rest := strings.TrimSuffix((d - days*24*time.Hour).String(), "0s")
	if days == 0 {
		return rest
	}
	return strconv.Itoa(int(days)) + "d" + rest
}
