package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weft-net/weft/internal/lab"
)

// conflist is a list for a plugin of type flannel or weft on a host.
func conflist(ts *testscript.TestScript, h *lab.Host, kind string) []byte {
	if kind != "flannel" && kind != "weft" {
		ts.Fatalf("the type of a CNI plugin is flannel or weft, not %s", kind)
	}
	return h.Conflist(kind)
}

// pod-delete NAME: by CNI, which made it.
func cmdPodDelete(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 1, "pod-delete NAME")
	w := worldOf(ts)
	ts.Check(w.pod(ts, args[0]).DeleteCNI(w.ctx))
	delete(w.pods, args[0])
}

// cni-status HOST TYPE; with "!" the plugin must not be ready, and says why on the script's stderr.
func cmdCNIStatus(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, false, args, 2, 2, "[!] cni-status HOST flannel|weft")
	w := worldOf(ts)
	h := w.host(ts, args[0])
	err := h.CNIStatus(w.ctx, conflist(ts, h, args[1]))
	switch {
	case neg && err == nil:
		ts.Fatalf("the plugin is ready")
	case neg:
		_, writeErr := io.WriteString(ts.Stderr(), err.Error())
		ts.Check(writeErr)
	default:
		ts.Check(err)
	}
}

// containerd HOST TYPE: start containerd, with a CNI plugin for its containers.
func cmdContainerd(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 2, "containerd HOST flannel|weft")
	w := worldOf(ts)
	h := w.host(ts, args[0])
	ctx, cancel := context.WithTimeout(w.ctx, startLimit)
	defer cancel()
	// Debian's containerd knows the spec up to this version.
	list := bytes.Replace(conflist(ts, h, args[1]), []byte(`"1.1.0"`), []byte(`"1.0.0"`), 1)
	c, err := h.StartContainerd(ctx, list)
	ts.Check(err)
	w.containerds[h.Name] = c
}

// ctr-run NAME HOST: start a container; sets $NAME, $NAME_v6 to its addresses.
func cmdCtrRun(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 2, "ctr-run NAME HOST")
	w := worldOf(ts)
	c := w.containerd(ts, args[1])
	ts.Check(c.RunContainer(w.ctx, args[0]))
	addrs, err := c.Addrs(w.ctx, args[0])
	ts.Check(err)
	for _, a := range addrs {
		ts.Setenv(variable(args[0], a.Is6()), a.String())
	}
}

// ctr-ping NAME HOST ADDRESS: pings from a container are answered, and none is lost.
func cmdCtrPing(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 3, 3, "ctr-ping NAME HOST ADDRESS")
	w := worldOf(ts)
	c := w.containerd(ts, args[1])
	ts.Check(w.within(settleLimit, func() error {
		out, err := c.Exec(w.ctx, args[0], "ping", "-A", "-W", "2", "-c", fmt.Sprint(containerPings), args[2])
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}))
}

func (w *world) containerd(ts *testscript.TestScript, host string) *lab.Containerd {
	c := w.containerds[host]
	if c == nil {
		ts.Fatalf("%s has no containerd", host)
	}
	return c
}
