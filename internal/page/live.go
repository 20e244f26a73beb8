package page

import (
	"fmt"
	"net/http"
	"time"
)

// beat is how often a stream without news says that it lives; sendLimit is how
// long a browser may take to read.
const (
	beat      = 15 * time.Second
	sendLimit = 30 * time.Second
)

// live streams the picture and what changes of it, as server-sent events.
func (h *hub) live(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	stream := http.NewResponseController(w)
	_ = stream.SetReadDeadline(time.Time{}) // of requests; this one is read, and goes on
	first, news := h.join()
	defer h.leave(news)
	send := func(text string) bool {
		_ = stream.SetWriteDeadline(time.Now().Add(sendLimit)) // not supported by a test's recorder
		_, err := fmt.Fprint(w, text)
		return err == nil && stream.Flush() == nil
	}
	if !send("retry: 1000\n\n") {
		return
	}
	for _, m := range first {
		if !send(m.text()) {
			return
		}
	}
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		text := ": still here\n\n"
		select {
		case <-r.Context().Done():
			return
		case m, ok := <-news:
			if !ok {
				return // it was too slow, and connects again
			}
			text = m.text()
		case <-ticker.C:
		}
		if !send(text) {
			return
		}
	}
}

func (m message) text() string { return fmt.Sprintf("event: %s\ndata: %s\n\n", m.name, m.data) }
