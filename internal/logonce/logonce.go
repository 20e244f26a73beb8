// Package logonce logs a fault when it begins, when it becomes another one and
// when it is over, but not each time it is noticed. It must not decide what a
// fault is or what is done about it.
package logonce

import (
	"context"
	"log/slog"
)

// Fault is the record of one thing that can fail. The zero Fault is fine; it
// is for one goroutine.
type Fault struct{ text string }

// Report logs err at level with message, unless the last report had an error
// of the same text. If err is nil and the last one was not, it logs over at
// info; an empty over is not logged.
func (f *Fault) Report(log *slog.Logger, level slog.Level, err error, message, over string, attrs ...any) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	switch {
	case text == f.text:
		return
	case err != nil:
		log.Log(context.Background(), level, message, append(attrs, "error", err)...)
	case over != "":
		log.Info(over, attrs...)
	}
	f.text = text
}

// Active reports whether the last report had an error.
func (f *Fault) Active() bool { return f.text != "" }
