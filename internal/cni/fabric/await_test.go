package fabric

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/weft-net/weft/internal/subnetenv"
)

// TestAwait has the file come to be in steps, each just after the call found
// that it is not there.
func TestAwait(t *testing.T) {
	env := subnetenv.Env{Subnets: []netip.Prefix{netip.MustParsePrefix("10.5.1.0/24")}, MTU: 1450}
	dir := t.TempDir()
	path := filepath.Join(dir, "run", "flannel", "subnet.env")
	steps := []func() error{
		func() error { return nil }, // the first look, ahead of the watch
		func() error { return os.Mkdir(filepath.Join(dir, "run"), 0o755) },
		func() error { return os.Mkdir(filepath.Dir(path), 0o755) },
		func() error { return os.Remove(filepath.Dir(path)) },
		func() error { return os.Mkdir(filepath.Dir(path), 0o755) },
		func() error { return os.WriteFile(path, nil, 0o644) },
		func() error { return subnetenv.Write(path, env) },
	}
	got, err := Await(t.Context(), path, func() (subnetenv.Env, error) {
		got, err := Subnets(path)
		if err != nil && len(steps) > 0 {
			if stepErr := steps[0](); stepErr != nil {
				t.Fatal(stepErr)
			}
			steps = steps[1:]
		}
		return got, err
	})
	if err != nil || len(got.Subnets) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAwaitEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	path := filepath.Join(t.TempDir(), "subnet.env")
	reads := 0
	_, err := Await(ctx, path, func() (subnetenv.Env, error) {
		if reads++; reads == 2 {
			cancel(errors.New("the runtime gave up"))
		}
		return Subnets(path)
	})
	if code(err) != types.ErrTryAgainLater || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "the runtime gave up") {
		t.Errorf("got %v, want an error that names the file and why the wait ended", err)
	}
}

// TestAwaitDoesNotWaitForWhatStays: a file that cannot be read is an error at once.
func TestAwaitDoesNotWaitForWhatStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "subnet.env")
	if err := os.WriteFile(path, []byte("FLANNEL_SUBNET=10.5.1.300/24\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	reads := 0
	_, err := Await(t.Context(), path, func() (subnetenv.Env, error) { reads++; return Subnets(path) })
	if code(err) != types.ErrIOFailure || reads != 1 {
		t.Errorf("got %v after %d reads", err, reads)
	}
}

// TestWatcherWithoutInotify: without it the file is read from time to time.
func TestWatcherWithoutInotify(t *testing.T) {
	w := &watcher{path: "/nowhere/subnet.env"}
	w.follow()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if w.wait(ctx) {
		t.Error("the wait went on after its context")
	}
}
