package hostlock_test

import (
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/hostlock"
	"github.com/weft-net/weft/internal/netns"
)

func TestWhatAnotherAgentUsesIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name         string
		theirs, mine hostlock.Things
		refused      string // "": it is not
	}{
		{"same network", network("172.7.0.0/16"), network("172.7.0.0/16"), "network 172.7.0.0/16"},
		{"narrower", network("172.7.0.0/16"), network("172.7.0.0/20"), "network 172.7.0.0/20 overlaps 172.7.0.0/16"},
		{"wider", network("172.7.16.0/20"), network("10.0.0.0/8", "172.7.0.0/16"), "network 172.7.0.0/16 overlaps 172.7.16.0/20"},
		{"of two families", network("172.7.0.0/16", "fd17::/48"), network("172.8.0.0/16", "fd17:0:0:1::/64"), "network fd17:0:0:1::/64 overlaps fd17::/48"},
		{"not masked", network("172.7.1.2/16"), network("172.7.99.1/24"), "network 172.7.99.0/24 overlaps 172.7.0.0/16"},
		{"neighbours", network("172.7.0.0/17"), network("172.7.128.0/17"), ""},
		{"families apart", network("0.0.0.0/0"), network("::/0"), ""},
		{"device", hostlock.Things{Devices: []string{"flannel.1", "flannel-v6.1"}}, hostlock.Things{Devices: []string{"flannel-v6.1"}}, "device flannel-v6.1"},
		{"other device", hostlock.Things{Devices: []string{"flannel.1"}}, hostlock.Things{Devices: []string{"flannel.10"}}, ""},
		{"table", hostlock.Things{Tables: []string{"weft"}}, hostlock.Things{Tables: []string{"weft"}}, "table inet weft"},
		{"other table", hostlock.Things{Tables: []string{"weft"}}, hostlock.Things{Tables: []string{"weft.2"}}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			base := t.TempDir()
			first, second := open(t, base, "first"), open(t, base, "second")
			check(t, first.Hold(t.Context(), tc.theirs))
			err := second.Hold(t.Context(), tc.mine)
			if tc.refused == "" {
				check(t, err)
				return
			}
			held, ok := errors.AsType[*hostlock.HeldError](err)
			if !ok || held.PID != os.Getpid() || held.StateDir != "/var/lib/first" {
				t.Fatalf("not refused for the first: %v", err)
			}
			for _, want := range []string{tc.refused, "state directory /var/lib/first)", "VNI each", "--nft-table"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			check(t, first.Close())
			check(t, second.Hold(t.Context(), tc.mine))
		})
	}
}

func TestWhatWasHeldIsKeptOnRefusalAndReplacedElse(t *testing.T) {
	base := t.TempDir()
	first, second, third := open(t, base, "first"), open(t, base, "second"), open(t, base, "third")
	check(t, first.Hold(t.Context(), network("10.1.0.0/16")))
	check(t, second.Hold(t.Context(), network("10.2.0.0/16")))
	if err := second.Hold(t.Context(), network("10.1.0.0/24", "10.3.0.0/16")); err == nil {
		t.Fatal("two agents hold one network")
	}
	if err := third.Hold(t.Context(), network("10.2.0.0/16")); err == nil {
		t.Fatal("a refused agent lost what it held")
	}
	check(t, third.Hold(t.Context(), network("10.3.0.0/16"))) // none of a refused request is held
	check(t, third.Hold(t.Context(), network("10.4.0.0/16")))
	check(t, second.Hold(t.Context(), network("10.2.0.0/16", "10.3.0.0/16")))
	if err := third.Hold(t.Context(), network("10.3.0.0/16")); err == nil {
		t.Fatal("two agents hold one network")
	}
}

func TestHoldingTheSameAgainTouchesNoFile(t *testing.T) {
	h := open(t, t.TempDir(), "first")
	check(t, h.Hold(t.Context(), network("10.2.0.0/16", "10.1.0.0/16")))
	before, err := os.Stat(h.File())
	check(t, err)
	check(t, h.Hold(t.Context(), network("10.1.0.0/16", "10.2.0.0/16", "10.1.0.0/16")))
	after, err := os.Stat(h.File())
	check(t, err)
	if !os.SameFile(before, after) {
		t.Error("the file was written again")
	}
	if before.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", before.Mode())
	}
}

func TestProcesses(t *testing.T) {
	base := t.TempDir()
	other := start(t, base, "other", "172.7.0.0/16")
	if said := other.said(t); said != "held" {
		t.Fatal(said)
	}
	h := open(t, base, "first")
	err := h.Hold(t.Context(), network("172.7.0.0/20"))
	held, ok := errors.AsType[*hostlock.HeldError](err)
	if !ok || held.PID != other.Process.Pid || held.StateDir != "/var/lib/other" {
		t.Fatalf("not refused for process %d: %v", other.Process.Pid, err)
	}
	check(t, other.Process.Signal(unix.SIGKILL))
	_ = other.Wait()
	check(t, h.Hold(t.Context(), network("172.7.0.0/20")))
	expectFiles(t, h, 1)
	if said := start(t, base, "third", "172.7.1.0/24").said(t); !strings.HasPrefix(said, "refused: network 172.7.1.0/24 overlaps 172.7.0.0/20") {
		t.Error(said)
	}
}

// TestAgentInAContainer has the other agent in a container that shares the
// host's network and the directory.
func TestAgentInAContainer(t *testing.T) {
	base := t.TempDir()
	other := startIn(t, unix.CLONE_NEWPID|unix.CLONE_NEWNS, base, "other", "172.7.0.0/16")
	if said := other.said(t); said != "held" {
		t.Fatal(said)
	}
	h := open(t, base, "first")
	const want = "network 172.7.0.0/16 is used by another agent on this host (process 1 in another PID namespace, state directory /var/lib/other)"
	if err := h.Hold(t.Context(), network("172.7.0.0/16")); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v does not say %q", err, want)
	}
	check(t, other.Process.Kill())
	_ = other.Wait()
	check(t, h.Hold(t.Context(), network("172.7.0.0/16")))
}

// expectFiles says how many files there must be beside h's.
func expectFiles(t *testing.T, h *hostlock.Holder, want int) {
	t.Helper()
	files, err := os.ReadDir(h.Directory())
	check(t, err)
	if len(files) != want {
		t.Errorf("%d files are left, want %d: %v", len(files), want, files)
	}
}

// TestOneOfManyWins has processes ask at one moment for networks that all
// overlap each other.
func TestOneOfManyWins(t *testing.T) {
	base := t.TempDir()
	var all []*process
	for _, id := range strings.Fields("a b c d e f g h") {
		all = append(all, start(t, base, id, "10.0.0.0/8"))
	}
	winners := 0
	for _, p := range all {
		if p.said(t) == "held" {
			winners++
		}
	}
	if winners != 1 {
		t.Errorf("%d processes hold one network", winners)
	}
}

// TestAgentsComeAndGo has many agents take one network in turn.
func TestAgentsComeAndGo(t *testing.T) {
	base := t.TempDir()
	var holders, taken atomic.Int32
	var all sync.WaitGroup
	for _, id := range strings.Fields("a b c d") {
		h := open(t, base, id)
		all.Go(func() {
			for range 100 {
				err := h.Hold(t.Context(), network("10.0.0.0/8"))
				if _, ok := errors.AsType[*hostlock.HeldError](err); ok {
					continue
				}
				if n := holders.Add(1); err != nil || n != 1 {
					t.Errorf("%d hold the network: %v", n, err)
				}
				taken.Add(1)
				holders.Add(-1)
				if err := h.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if taken.Load() == 0 {
		t.Error("nobody ever held the network")
	}
	files, err := os.ReadDir(base)
	check(t, err)
	if len(files) != 0 {
		t.Errorf("left behind: %v", files)
	}
}

func TestOneIdentityIsHeldOnce(t *testing.T) {
	base := t.TempDir()
	other := start(t, base, "first", "10.1.0.0/16")
	if said := other.said(t); said != "held" {
		t.Fatal(said)
	}
	err := open(t, base, "first").Hold(t.Context(), network("10.2.0.0/16"))
	if err == nil || !strings.Contains(err.Error(), "identity is used by another agent") || !strings.Contains(err.Error(), "--state-dir") {
		t.Errorf("a copied identity: %v", err)
	}
}

func TestNetworkNamespacesAreApart(t *testing.T) {
	base := t.TempDir()
	h := open(t, base, "first")
	check(t, h.Hold(t.Context(), network("10.0.0.0/8")))
	ns, err := netns.New("elsewhere")
	check(t, err)
	t.Cleanup(func() { check(t, ns.Close()) })
	var elsewhere *hostlock.Holder
	check(t, ns.Do(func() (err error) {
		elsewhere, err = hostlock.Open(base, hostlock.Agent{ID: "second"})
		return err
	}))
	check(t, elsewhere.Hold(t.Context(), network("10.0.0.0/8")))
	check(t, elsewhere.Close())
}
