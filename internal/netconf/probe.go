package netconf

import (
	"encoding/json"
	"time"
)

// Probe tells how hosts measure the paths to their peers.
type Probe struct {
	Interval time.Duration // between packets by one path, at least; 0: paths are not measured
}

// defaultInterval is that of a config that does not say.
const defaultInterval = time.Second

// longestInterval is the most that is taken: beyond it a measure says nothing
// of the present any more.
const longestInterval = time.Hour

// parseProbe reads the Probe object. It also returns the keys in it that are
// unknown.
func parseProbe(o *object) (Probe, []string) {
	p := Probe{Interval: defaultInterval}
	raw := o.take("Probe")
	if raw == nil {
		return p, nil
	}
	if raw[0] != '{' {
		o.refuse("Probe", raw, `must be an object, such as {"Interval": "5s"}`)
		return p, nil
	}
	in := newObject("Probe.", raw)
	if text := in.take("Interval"); text != nil {
		p.Interval = parseInterval(in, text)
	}
	o.include(in)
	return p, in.rest()
}

func parseInterval(o *object, raw json.RawMessage) time.Duration {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		d, err := time.ParseDuration(s)
		if err == nil && (d == 0 || d >= defaultInterval && d <= longestInterval) {
			return d
		}
	}
	o.refuse("Interval", raw, `must be a duration from "1s" to "1h", in quotes, or "0s" to send no probes`)
	return defaultInterval
}
