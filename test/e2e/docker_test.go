package e2e

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weft-net/weft/internal/lab"
)

// containerPings are few: ping is started again in the container for each series.
const containerPings = 3

// docker HOST: start dockerd; the image busybox is there afterwards.
func cmdDocker(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 1, "docker HOST")
	w := worldOf(ts)
	h := w.host(ts, args[0])
	ctx, cancel := context.WithTimeout(w.ctx, startLimit)
	defer cancel()
	process, err := h.StartDocker(ctx)
	ts.Check(err)
	again := w.dockers[h.Name] != nil
	w.dockers[h.Name] = process
	if !again {
		ts.Check(h.ImportImage(ctx))
	}
}

// docker-stop HOST: SIGTERM, and dockerd must end well.
func cmdDockerStop(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 1, "docker-stop HOST")
	w := worldOf(ts)
	process := w.dockers[args[0]]
	if process == nil {
		ts.Fatalf("%s has no dockerd", args[0])
	}
	ctx, cancel := context.WithTimeout(w.ctx, startLimit)
	defer cancel()
	ts.Check(process.Stop(ctx))
}

// container NAME HOST: start a container that serves HTTP; sets $NAME to its address.
func cmdContainer(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 2, "container NAME HOST")
	w := worldOf(ts)
	container, err := w.host(ts, args[1]).RunContainer(w.ctx, args[0])
	ts.Check(err)
	w.containers[args[0]] = container
	ts.Setenv(args[0], container.Addr.String())
}

// serve HOST: the same HTTP server on a host itself.
func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 1, "serve HOST")
	w := worldOf(ts)
	ts.Check(w.host(ts, args[0]).ServeClientPath(w.ctx))
}

// talk-all PATH [CONTAINER...]: every one of these, or all, pings every pings every other by PATH, and is seen by its own address.
func cmdTalkAll(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, unlimited, "talk-all direct|vxlan|split [CONTAINER...]")
	w := worldOf(ts)
	among := w.among(ts, args[1:])
	if len(among) < 2 {
		ts.Fatalf("there are %d containers: talk-all needs two", len(among))
	}
	for _, from := range among {
		for _, to := range among {
			if from != to {
				ts.Check(w.expectTalk(from, to, args[0]))
			}
		}
	}
}

// among are the containers of those names, all of them if there are no names.
func (w *world) among(ts *testscript.TestScript, names []string) []*lab.Container {
	var out []*lab.Container
	if len(names) == 0 {
		for _, c := range w.containers {
			out = append(out, c)
		}
		return out
	}
	for _, name := range names {
		c := w.containers[name]
		if c == nil {
			ts.Fatalf("there is no container %s", name)
		}
		out = append(out, c)
	}
	return out
}

func (w *world) expectTalk(from, to *lab.Container, path string) error {
	path = onSegments(from.Host, to.Host, path)
	return w.within(settleLimit, func() error {
		trip, err := from.Travel(w.ctx, to, containerPings)
		if err != nil {
			return err
		}
		if err := trip.Err(); err != nil {
			return fmt.Errorf("%s to %s: %w", from, to, err)
		}
		if trip.Path() != path {
			return fmt.Errorf("%s to %s: pings with the containers' addresses travelled %s (%d direct, %d vxlan), want %s",
				from, to, trip.Path(), trip.Direct, trip.VXLAN, path)
		}
		return w.expectSeen(from, to.Addr, from.Addr)
	})
}

func (w *world) expectSeen(from *lab.Container, server, as netip.Addr) error {
	seen, err := from.SeenBy(w.ctx, server)
	if err == nil && seen != as {
		err = fmt.Errorf("%s is seen by %s as %s, want %s", from, server, seen, as)
	}
	return err
}

// host-sees HOST CONTAINER ADDRESS: the HTTP server on HOST sees the container as ADDRESS.
func cmdHostSees(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 3, 3, "host-sees HOST CONTAINER ADDRESS")
	w := worldOf(ts)
	server := w.host(ts, args[0]).Addrs[0].Addr()
	from := w.among(ts, args[1:2])[0]
	as, err := netip.ParseAddr(args[2])
	ts.Check(err)
	ts.Check(w.within(settleLimit, func() error { return w.expectSeen(from, server, as) }))
}
