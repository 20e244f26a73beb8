package kube

import (
	"context"
	"log/slog"
	"time"

	"github.com/weft-net/weft/internal/backoff"
	"github.com/weft-net/weft/internal/logonce"
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

// networkDown is the condition of a node whose pods cannot be reached.
func networkDown(now time.Time, why error) condition {
	now = now.UTC().Truncate(time.Second)
	return condition{
		Type: networkUnavailable, Status: "True", Reason: "WeftIsDown", Message: shortened("weft: " + why.Error()),
		LastTransitionTime: now, LastHeartbeatTime: now,
	}
}

// keepCondition keeps the node's condition NetworkUnavailable at what is so:
// whoever sets it otherwise, a cloud's node controller say, does not know. It
// gives way more and more to one that insists.
func (h *holder) keepCondition(ctx context.Context) {
	if !h.o.SetNetworkUnavailable {
		return
	}
	pause, last := backoff.Backoff{First: time.Second, Most: unhurried}, time.Time{}
	observed := "" // the condition's status; "": not known yet
	seen := false
	for {
		want, ok, wait := h.reach.condition(time.Now())
		if seen && ok && observed != want.Status {
			if time.Since(last) > 2*unhurried {
				pause.Reset()
			}
			last = time.Now()
			if !h.setCondition(ctx, want, pause) || pause.Wait(ctx) != nil {
				return
			}
			observed = want.Status // until the watch tells otherwise
			continue
		}
		timer := time.NewTimer(max(wait, time.Millisecond))
		if wait == 0 {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case observed = <-h.network:
			seen = true
		case <-h.reach.changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// setCondition tries until it succeeds, and returns false if ctx ends before.
func (h *holder) setCondition(ctx context.Context, want condition, pause backoff.Backoff) bool {
	p := patch{}
	p.Status.Conditions = []condition{want}
	var fault logonce.Fault
	for {
		_, err := h.send(ctx, "setting the condition "+networkUnavailable, h.name, p)
		if err == nil {
			h.log.Info("set the node's condition", "condition", networkUnavailable, "status", want.Status, "reason", want.Reason, "node", h.name)
			return true
		}
		if ctx.Err() == nil {
			fault.Report(h.log, slog.LevelWarn, err, "cannot set the node's condition, retrying", "")
		}
		if pause.Wait(ctx) != nil {
			return false
		}
	}
}
