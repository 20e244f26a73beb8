package agent

import "log/slog"

// nag logs what is amiss once for as long as it is the same.
type nag struct{ said string }

// say logs err, nil for nothing, under a message.
func (n *nag) say(log *slog.Logger, message string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != n.said {
		log.Warn(message, "error", text)
	}
	n.said = text
}
