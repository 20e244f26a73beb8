package e2e

import (
	"fmt"
	"slices"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weft-net/weft/internal/lab"
)

const (
	pathPings    = 5
	pingInterval = 5 * time.Millisecond
	// pathSplit asks for direct between hosts of one segment and vxlan between segments.
	pathSplit = "split"
)

// families reads ipv4, ipv6 or dual.
func families(ts *testscript.TestScript, name string) []bool {
	switch name {
	case "ipv4":
		return []bool{false}
	case "ipv6":
		return []bool{true}
	case "dual":
		return []bool{false, true}
	}
	ts.Fatalf("family %q: want ipv4, ipv6 or dual", name)
	return nil
}

// ping-all FAMILY PATH: every pod pings every other, each ping is answered, and each takes PATH.
func cmdPingAll(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 2, "ping-all ipv4|ipv6|dual direct|vxlan|split")
	w := worldOf(ts)
	if len(w.pods) < 2 {
		ts.Fatalf("there are %d pods: ping-all needs two", len(w.pods))
	}
	for _, is6 := range families(ts, args[0]) {
		for _, from := range w.pods {
			for _, to := range w.pods {
				if from != to {
					ts.Check(w.expectPath(from, to, is6, args[1]))
				}
			}
		}
	}
}

// path FROM TO FAMILY PATH
func cmdPath(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 4, 4, "path FROM TO ipv4|ipv6|dual direct|vxlan|split|local")
	w := worldOf(ts)
	for _, is6 := range families(ts, args[2]) {
		ts.Check(w.expectPath(w.pod(ts, args[0]), w.pod(ts, args[1]), is6, args[3]))
	}
}

// onSegments says which path is meant between two hosts.
func onSegments(from, to *lab.Host, path string) string {
	switch {
	case from == to:
		return lab.PathLocal
	case path != pathSplit:
		return path
	case from == to:
		return lab.PathLocal
	case from.Addrs[0].Masked() == to.Addrs[0].Masked():
		return lab.PathDirect
	}
	return lab.PathVXLAN
}

// expectPath waits until a series of pings takes the path without loss.
func (w *world) expectPath(from, to *lab.Pod, is6 bool, path string) error {
	path = onSegments(from.Host, to.Host, path)
	return w.within(settleLimit, func() error {
		trip, err := lab.Travel(w.ctx, from, to, is6, pathPings)
		if err != nil {
			return err
		}
		if err := trip.Err(); err != nil {
			return fmt.Errorf("%s to %s: %w", from, to, err)
		}
		if trip.Path() != path {
			return fmt.Errorf("%s to %s: the pings travelled %s (%d direct, %d vxlan), want %s",
				from, to, trip.Path(), trip.Direct, trip.VXLAN, path)
		}
		return nil
	})
}

// no-answer FROM TO FAMILY: until none of a series of pings is answered.
func cmdNoAnswer(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 3, 3, "no-answer FROM TO ipv4|ipv6|dual")
	w := worldOf(ts)
	for _, is6 := range families(ts, args[2]) {
		addr, ok := w.pod(ts, args[1]).Addr(is6)
		if !ok {
			ts.Fatalf("%s has no address of that family", args[1])
		}
		ts.Check(w.within(settleLimit, func() error {
			tally, err := w.pod(ts, args[0]).Ping(w.ctx, addr, pathPings)
			if err == nil && tally.Received > 0 {
				err = fmt.Errorf("%d of %d pings were answered", tally.Received, tally.Sent)
			}
			return err
		}))
	}
}

// ping-start NAME FROM TO FAMILY
func cmdPingStart(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 4, 4, "ping-start NAME FROM TO ipv4|ipv6")
	w := worldOf(ts)
	addr, ok := w.pod(ts, args[2]).Addr(families(ts, args[3])[0])
	if !ok || w.pingers[args[0]] != nil {
		ts.Fatalf("%s has no address of that family, or %s is running", args[2], args[0])
	}
	pinger, err := w.pod(ts, args[1]).StartPinger(addr, pingInterval)
	ts.Check(err)
	w.pingers[args[0]] = pinger
	ts.Check(w.answered(pinger))
}

// answered waits for further replies.
func (w *world) answered(p *lab.Pinger) error {
	before := p.Received()
	return w.within(settleLimit, func() error {
		if p.Received() < before+pathPings {
			return fmt.Errorf("%d replies in all", p.Received())
		}
		return nil
	})
}

// ping-stop NAME [lossy]: replies must come to the end, and unless it is lossy none may be missing.
func cmdPingStop(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 2, "ping-stop NAME [lossy]")
	w := worldOf(ts)
	pinger := w.pingers[args[0]]
	if pinger == nil {
		ts.Fatalf("no pings %s are running", args[0])
	}
	delete(w.pingers, args[0])
	answered := w.answered(pinger)
	tally := pinger.Stop()
	ts.Logf("%d sent, %d received, longest gap %s", tally.Sent, tally.Received, tally.Gap)
	ts.Check(answered)
	if !slices.Contains(args, "lossy") {
		ts.Check(tally.Err())
	}
}

// stream-start NAME FROM TO FAMILY
func cmdStreamStart(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 4, 4, "stream-start NAME FROM TO ipv4|ipv6")
	w := worldOf(ts)
	to := w.pod(ts, args[2])
	addr, ok := to.Addr(families(ts, args[3])[0])
	if !ok || w.streams[args[0]] != nil {
		ts.Fatalf("%s has no address of that family, or %s is running", args[2], args[0])
	}
	stream, err := w.pod(ts, args[1]).StartStream(w.ctx, to.Node, addr)
	ts.Check(err)
	w.streams[args[0]] = stream
}

// stream-stop NAME: everything that was sent must have arrived.
func cmdStreamStop(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 1, "stream-stop NAME")
	w := worldOf(ts)
	stream := w.streams[args[0]]
	if stream == nil {
		ts.Fatalf("no stream %s is running", args[0])
	}
	delete(w.streams, args[0])
	result := stream.Stop()
	ts.Logf("%d bytes sent, %d received", result.Sent, result.Received)
	ts.Check(result.Err)
}
