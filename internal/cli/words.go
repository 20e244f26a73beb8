package cli

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

func orNone(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// firstLine shortens a message for a table.
func firstLine(s string) string {
	line, _, more := strings.Cut(s, "\n")
	if more {
		line += " ..."
	}
	return line
}

func addrs(list []netip.Addr) string {
	var parts []string
	for _, a := range list {
		parts = append(parts, a.String())
	}
	return orNone(strings.Join(parts, ","))
}

// since returns how long ago t was, "-" if never.
func since(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return coarse(now.Sub(t))
}

// coarse rounds d to what a reader needs: 350ms, 12s, 4m30s, 23h59m, 9d4h.
func coarse(d time.Duration) string {
	switch {
	case d < time.Second:
		return max(d, 0).Round(time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	minutes := int(d.Round(time.Minute) / time.Minute)
	if hours := minutes / 60; hours < 24 {
		return fmt.Sprintf("%dh%dm", hours, minutes%60)
	}
	hours := minutes / 60
	return fmt.Sprintf("%dd%dh", hours/24, hours%24)
}
