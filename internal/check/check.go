package check

import (
	"fmt"
	"time"

	"github.com/weft-net/weft/internal/explain"
)

// Facts is what is known about this host and the network.
type Facts struct {
	explain.Facts
	Version  string        // of this program
	AgentErr string        // why the agent does not answer; "": it does
	PlanErr  string        // why the plan is not known; "": it is
	Drift    []string      // what differs between kernel and plan, one line each
	Skew     time.Duration // of the store's clock against this host's
	SkewErr  string        // why that is not known

	Marks       []Mark // those of Marks, sent
	MarksMissed int    // frames that came too fast to be looked at
	MarksErr    string // why none was sent
}

// State is how a check ended.
type State string

// The states of results.
const (
	OK      State = "ok"
	Warning State = "warning" // packets pass, but something should be looked at
	Failed  State = "failed"  // packets are lost, or will be
	Skipped State = "skipped" // it cannot be told from here, or does not apply
)

// Result is one check.
type Result struct {
	Name   string `json:"name"`
	State  State  `json:"state"`
	Text   string `json:"text"`             // what was found
	Remedy string `json:"remedy,omitempty"` // if it is not as it should be
}

// checks are all there are, in the order of the output. Each may have several results.
var checks = []func(*Facts) []Result{
	agent, clock, store, lease, uplink, kernelFeatures, parameters, objects, udpPort, mtu, checksums, encryption, addresses, containers, peers, versions, problems,
}

// Run carries out all checks.
func Run(f Facts) (out []Result) {
	for _, c := range checks {
		out = append(out, c(&f)...)
	}
	return out
}

// Fails reports whether one of the results has failed.
func Fails(results []Result) bool {
	for _, r := range results {
		if r.State == Failed {
			return true
		}
	}
	return false
}

// one is a single result.
func one(name string, state State, remedy, format string, args ...any) []Result {
	return []Result{{Name: name, State: state, Text: fmt.Sprintf(format, args...), Remedy: remedy}}
}

// count is a number with its noun.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
