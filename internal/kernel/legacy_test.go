package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/netns"
	"github.com/weft-net/weft/internal/netstate"
)

// hanging is an iptables-legacy program that hangs until it is let go.
type hanging struct{ dir string }

// hang puts such a program in the place of the real one, and brings the real
// one's tables into use.
func hang(t *testing.T, ns *netns.NS) hanging {
	t.Helper()
	h := hanging{t.TempDir()}
	t.Setenv("XTABLES_LOCKFILE", filepath.Join(h.dir, "lock")) // the usual one is root's
	shell(t, ns, "/usr/sbin/iptables-legacy -P FORWARD DROP")
	for _, fifo := range []string{"started", "go"} {
		if err := syscall.Mkfifo(filepath.Join(h.dir, fifo), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script := fmt.Sprintf(`#!/bin/sh
cd %s
test -e free || { echo >started; read x <go; }
exec /usr/sbin/${0##*/} "$@"
`, h.dir)
	for _, program := range []string{"iptables-legacy", "ip6tables-legacy"} {
		if err := os.WriteFile(filepath.Join(h.dir, program), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", h.dir+":"+os.Getenv("PATH"))
	return h
}

// started waits until the program hangs.
func (h hanging) started(t *testing.T) {
	t.Helper()
	if _, err := os.ReadFile(filepath.Join(h.dir, "started")); err != nil {
		t.Fatal(err)
	}
}

// free lets the program go, and all that start later.
func (h hanging) free(t *testing.T) {
	t.Helper()
	for _, file := range []string{"free", "go"} {
		if err := os.WriteFile(filepath.Join(h.dir, file), []byte("\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	legacyRule = `hook legacy ip filter FORWARD head ip saddr 10.5.0.0/16 counter accept comment "weft"`
	someRoute  = "route 10.5.2.0/24 via 10.4.7.22 dev eth0"
)

func adds(t *testing.T, text string) []netstate.Op {
	t.Helper()
	return netstate.Diff(&netstate.State{}, rows(t, text))
}

// TestHangingProgramDelaysNoRoutes has the program hang while it is to put a
// rule. The routes of the same and of later changes stand nevertheless.
func TestHangingProgramDelaysNoRoutes(t *testing.T) {
	ns := newHost(t)
	h := hang(t, ns)
	a := newAgent(t, ns, networks...)
	a.k.SetPatience(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan []error)
	go func() { done <- a.k.Apply(ctx, adds(t, legacyRule+"\n"+someRoute)) }()
	h.started(t)
	if out := shell(t, ns, "ip route show 10.5.2.0/24"); count(out, "10.4.7.22") != 1 {
		t.Error("the route waits for the program")
	}
	if failed := a.add("route 10.5.3.0/24 via 10.4.7.22 dev eth0"); len(failed) != 0 {
		t.Error(failed)
	}
	cancel()
	if errs := <-done; !errors.Is(errs[0], context.Canceled) || errs[1] != nil {
		t.Error(errs)
	}
}

// TestHangingProgramIsGoneOn has the program hang from the start. What it
// tells in the end is reported.
func TestHangingProgramIsGoneOn(t *testing.T) {
	ns := newHost(t)
	h := hang(t, ns)
	k := open(t, ns)
	k.SetPatience(time.Nanosecond)
	scope := netstate.Scope{Networks: []netip.Prefix{networks[0]}, Tables: []string{"weft"}}
	have, err := k.Observe(t.Context(), scope, netstate.AllKinds)
	if err != nil || have.Firewall.HookRules.Len() != 0 {
		t.Fatal(have, err)
	}
	barriers, err := k.Barriers(t.Context())
	if err != nil || len(barriers) != 2 || barriers[0].Manager == "" || barriers[0].Rules[0].Stops == "policy drop" {
		t.Errorf("of what cannot be read: %+v %v", barriers, err)
	}
	want := rows(t, legacyRule+"\n"+someRoute)
	errs := k.Apply(t.Context(), netstate.Diff(have, want))
	if errs[0] == nil || !strings.Contains(errs[0].Error(), "xtables.lock") || errs[1] != nil {
		t.Errorf("applied with %v", errs)
	}
	a := agent{T: t, k: k}
	events := a.watch()
	h.started(t)
	h.free(t)
	for e := next(t, events); !e.Facts; e = next(t, events) {
	}
	k.SetPatience(time.Hour)
	settleLegacy(t, k, scope, want)
	if barriers, err = k.Barriers(t.Context()); err != nil || len(barriers) != 1 || barriers[0].Rules[0].Stops != "policy drop" {
		t.Errorf("once it can be read: %+v %v", barriers, err)
	}
}

// TestLastAnswerHolds has the program hang later: what it told before is gone
// by, so that nothing is planned or done for no reason.
func TestLastAnswerHolds(t *testing.T) {
	ns := newHost(t)
	h := hang(t, ns)
	h.freeForNow(t)
	k := open(t, ns)
	k.SetPatience(time.Hour)
	scope := netstate.Scope{Networks: []netip.Prefix{networks[0]}, Tables: []string{"weft"}}
	want := rows(t, legacyRule)
	settleLegacy(t, k, scope, want)
	if _, err := k.Barriers(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.hangAgain(t)
	k.SetPatience(time.Nanosecond)
	if have, err := k.Observe(t.Context(), scope, netstate.AllKinds); err != nil || have.String() != want.String() {
		t.Errorf("observed\n%s%v", have, err)
	}
	if barriers, err := k.Barriers(t.Context()); err != nil || len(barriers) != 1 || barriers[0].Rules[0].Stops != "policy drop" {
		t.Errorf("barriers: %+v %v", barriers, err)
	}
}

func (h hanging) freeForNow(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, "free"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (h hanging) hangAgain(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(h.dir, "free")); err != nil {
		t.Fatal(err)
	}
}

func settleLegacy(t *testing.T, k *kernel.Kernel, scope netstate.Scope, want *netstate.State) {
	t.Helper()
	have, err := k.Observe(t.Context(), scope, netstate.AllKinds)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range k.Apply(t.Context(), netstate.Diff(have, want)) {
		if err != nil {
			t.Error(err)
		}
	}
	if have, err = k.Observe(t.Context(), scope, netstate.AllKinds); err != nil || have.String() != want.String() {
		t.Errorf("observed %v, not as wanted:\n%s", err, have)
	}
}
