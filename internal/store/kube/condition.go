package kube

import (
	"context"
	"time"

	"github.com/weft-net/weft/internal/backoff"
)

// condition is a NodeCondition as it is written.
type condition struct {
	Type               string    `json:"type"`
	Status             string    `json:"status"`
	Reason             string    `json:"reason"`
	Message            string    `json:"message"`
	LastTransitionTime time.Time `json:"lastTransitionTime"`
	LastHeartbeatTime  time.Time `json:"lastHeartbeatTime"`
}

// networkUp is flannel's condition, word for word: other programs look for it.
func networkUp(now time.Time) condition {
	now = now.UTC().Truncate(time.Second)
	return condition{
		Type: networkUnavailable, Status: "False", Reason: "FlannelIsUp", Message: "Flannel is running on this node",
		LastTransitionTime: now, LastHeartbeatTime: now,
	}
}

// keepCondition keeps the node's condition NetworkUnavailable at False once the
// network is up. Another program may set it to True again, for example a cloud's
// node controller; it is set back after pauses that grow.
func (h *holder) keepCondition(ctx context.Context) {
	if !h.o.SetNetworkUnavailable {
		return
	}
	select {
	case <-ctx.Done():
		return
	case <-h.serving:
	}
	pause, last := backoff.Backoff{First: time.Second, Most: unhurried}, time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-h.network:
			if now == "False" {
				continue
			}
		}
		if time.Since(last) > 2*unhurried {
			pause.Reset()
		}
		last = time.Now()
		if !h.setCondition(ctx, pause) {
			return
		}
		if pause.Wait(ctx) != nil {
			return
		}
	}
}

// setCondition tries until it succeeds, and returns false if ctx ends before.
func (h *holder) setCondition(ctx context.Context, pause backoff.Backoff) bool {
	p := patch{}
	p.Status.Conditions = []condition{networkUp(time.Now())}
	logged := ""
	for {
		_, err := h.send(ctx, "setting the condition "+networkUnavailable, h.name, p)
		if err == nil {
			h.log.Info("set the node's condition NetworkUnavailable to False", "node", h.name)
			return true
		}
		if ctx.Err() == nil && err.Error() != logged {
			logged = err.Error()
			h.log.Warn("cannot set the node's condition NetworkUnavailable; retrying", "node", h.name, "error", err)
		}
		if pause.Wait(ctx) != nil {
			return false
		}
	}
}
