package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/weft-net/weft/internal/lab"
)

const (
	pingCount   = 5
	settleLimit = 20 * time.Second // for news of the last host to reach the first
)

// Leg is how pings went from one pod to another.
type Leg struct {
	From, To *lab.Pod
	Is6      bool
	lab.Trip
}

// Measure pings from every pod to every other in every family of f, once all of them answer or have
// had time to.
func Measure(ctx context.Context, l *lab.Lab, f Family) ([]Leg, error) {
	pods, err := allPods(l)
	if err != nil {
		return nil, err
	}
	settle(ctx, pods, f)
	var legs []Leg
	for _, is6 := range f.sixes() {
		for _, from := range pods {
			for _, to := range pods {
				if from == to {
					continue
				}
				trip, err := lab.Travel(ctx, from, to, is6, pingCount)
				if err != nil {
					return nil, err
				}
				legs = append(legs, Leg{From: from, To: to, Is6: is6, Trip: trip})
			}
		}
	}
	return legs, nil
}

func allPods(l *lab.Lab) ([]*lab.Pod, error) {
	var pods []*lab.Pod
	for _, name := range agentHosts(l) {
		host, err := l.Host(name)
		if err != nil {
			return nil, err
		}
		pods = append(pods, host.Pods()...)
	}
	return pods, nil
}

// settle waits until every pod has had an answer from every other, for a while at most: whoever
// still does not answer then shows up in the measured pings.
func settle(ctx context.Context, pods []*lab.Pod, f Family) {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	for _, is6 := range f.sixes() {
		for _, from := range pods {
			for _, to := range pods {
				awaitAnswer(ctx, from, to, is6)
			}
		}
	}
}

func awaitAnswer(ctx context.Context, from, to *lab.Pod, is6 bool) {
	addr, ok := to.Addr(is6)
	for ok && ctx.Err() == nil {
		tally, err := from.Ping(ctx, addr, 1)
		if err == nil && tally.Received == 1 {
			return
		}
		if tally.SendErr != nil { // refused at once: do not spin
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
}

// Failure describes the first leg that lost pings, with the agents' logs of its two hosts. It is ""
// if there is none.
func Failure(legs []Leg) string {
	for _, leg := range legs {
		err := leg.Err()
		if err == nil {
			continue
		}
		text := fmt.Sprintf("%s to %s: %v\n", leg.From, leg.To, err)
		for _, h := range []*lab.Host{leg.From.Host, leg.To.Host} {
			text += fmt.Sprintf("\nThe agent's log on %s ends with:\n%s\n", h.Name, h.AgentLog(15))
		}
		return text
	}
	return ""
}
