package e2e

import (
	"net/netip"

	"github.com/rogpeppe/go-internal/testscript"
)

// overlays are the networks of the scripts that listen to wires.
var overlays = []netip.Prefix{netip.MustParsePrefix("172.7.0.0/16"), netip.MustParsePrefix("fd17:7::/48")}

// wire-start NAME HOST: count what passes the host's uplink.
func cmdWireStart(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 2, "wire-start NAME HOST")
	w := worldOf(ts)
	wire, err := w.host(ts, args[1]).StartWire(overlays...)
	ts.Check(err)
	w.wires[args[0]] = wire
}

// wire-stop NAME encrypted|clear|silent: what passed was encrypted and nothing else; some was not; nothing
// of the network passed.
func cmdWireStop(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 2, "wire-stop NAME encrypted|clear|silent")
	w := worldOf(ts)
	wire := w.wires[args[0]]
	if wire == nil {
		ts.Fatalf("nobody listens to %s", args[0])
	}
	delete(w.wires, args[0])
	seen, err := wire.Stop()
	ts.Check(err)
	ts.Logf("%d packets in clear, %d encrypted", seen.Clear, seen.Encrypted)
	right := false
	switch args[1] {
	case "encrypted":
		right = seen.Clear == 0 && seen.Encrypted > 0
	case "clear":
		right = seen.Clear > 0
	case "silent":
		right = seen.Clear == 0 && seen.Encrypted == 0
	default:
		ts.Fatalf("%q: want encrypted, clear or silent", args[1])
	}
	if !right {
		ts.Fatalf("%d packets passed in clear and %d encrypted, want %s", seen.Clear, seen.Encrypted, args[1])
	}
}
