package netconf

import (
	"testing"
	"time"
)

func TestProbeInterval(t *testing.T) {
	for doc, want := range map[string]time.Duration{
		`{"Network": "10.5.0.0/16"}`:                               time.Second,
		`{"Network": "10.5.0.0/16", "Probe": {}}`:                  time.Second,
		`{"Network": "10.5.0.0/16", "Probe": {"Interval": "0s"}}`:  0,
		`{"Network": "10.5.0.0/16", "probe": {"interval": "10s"}}`: 10 * time.Second,
	} {
		n, err := Parse([]byte(doc))
		if err != nil || n.Probe.Interval != want || len(n.Unknown) > 0 {
			t.Errorf("%s: %v, unknown %v, %v", doc, n.Probe.Interval, n.Unknown, err)
		}
	}
	n, err := Parse([]byte(`{"Network": "10.5.0.0/16", "Probe": {"Intervall": "10s"}}`))
	if err != nil || len(n.Unknown) != 1 || n.Unknown[0] != "Probe.Intervall" {
		t.Errorf("unknown %v, %v", n.Unknown, err)
	}
}
