package status

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/reconcile"
)

func route(dst string) netstate.Route {
	return netstate.Route{Dst: netip.MustParsePrefix(dst), Via: netip.MustParseAddr("10.4.7.22"), Dev: "eth0"}
}

// A reporter says what changes, and does not say it again; changes of the plan
// that come one after the other make one line a second.
func TestReporterSaysThingsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		r := Reporter{Log: slog.New(slog.NewTextHandler(&out, nil))}
		pass := func(p reconcile.Pass) { r.Pass(p) }
		add := []netstate.Op{{Verb: netstate.Add, Row: route("172.7.22.0/24")}}
		for range 50 {
			pass(reconcile.Pass{Ops: add, Rows: 7})
			time.Sleep(10 * time.Millisecond) // of the bubble's clock
		}
		time.Sleep(time.Second)
		r.Flush(7)
		for pid := range uint32(3) {
			pass(reconcile.Pass{Contested: []reconcile.Contest{{Row: route("172.7.23.0/24"), By: netstate.Event{PID: 70 + pid}}}})
			pass(reconcile.Pass{Err: errors.New("no buffer space"), Contested: []reconcile.Contest{{Row: route("172.7.23.0/24")}}})
		}
		pass(reconcile.Pass{})
		pass(reconcile.Pass{})
		pass(reconcile.Pass{Repair: true, Ops: add})
		for text, want := range map[string]int{
			"applied the plan to the kernel": 2,
			"changes=49 objects=7 passes=49": 1,
			"contested object":               1,
			"process 70":                     1,
			"in the desired state again":     1,
			"msg=repaired":                   1,
		} {
			if n := strings.Count(out.String(), text); n != want {
				t.Errorf("%q is said %d times, want %d, in\n%s", text, n, want, out.String())
			}
		}
	})
}

// A change of others is told when it is undone, once, with the process if one is
// known. One for which nothing has to be done is none: weft made it itself, or
// it is a foreign route that stays.
func TestReporterTellsChangesThatHadToBeUndone(t *testing.T) {
	var out bytes.Buffer
	r := Reporter{Log: slog.New(slog.NewTextHandler(&out, nil))}
	ours, foreign := route("172.7.22.0/24"), route("172.7.22.128/25")
	r.Drift([]netstate.Event{{Row: foreign, PID: 1}, {Row: ours, PID: 1}})
	if restored, _ := r.Pass(reconcile.Pass{}); len(restored) != 0 || out.Len() > 0 {
		t.Errorf("a pass without changes tells of %v:\n%s", restored, &out)
	}
	bare := netstate.Route{Dst: ours.Dst, Dev: "eth0"} // as the kernel tells of a removal
	r.Drift([]netstate.Event{{Row: route("172.7.24.0/24"), Gone: true}, {Row: bare, Gone: true, By: "ip[77]"}})
	r.Drift([]netstate.Event{{Row: bare, Gone: true}})
	ops := []netstate.Op{{Verb: netstate.Add, Row: ours}, {Verb: netstate.Add, Row: route("172.7.23.0/24")}, {Verb: netstate.Add, Row: route("172.7.24.0/24")}}
	restored, _ := r.Pass(reconcile.Pass{Repair: true, Ops: ops})
	want := `msg="external change: object removed; restored it" kind=drift object="` + ours.String() + `" more=1 by=ip[77]`
	if text := out.String(); len(restored) != 2 || strings.Count(text, "\n") != 1 || !strings.Contains(text, want) {
		t.Errorf("restored %v, told\n%s\nwant %s", restored, text, want)
	}
}
