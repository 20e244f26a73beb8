package persister_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/intent"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/persister"
)

func leases(n int) lease.Set {
	var all []lease.Lease
	for i := range n {
		addr := netip.AddrFrom4([4]byte{10, 5, byte(i), 0})
		all = append(all, lease.Lease{
			Subnets: []netip.Prefix{netip.PrefixFrom(addr, 24)},
			Attrs:   lease.Attrs{Public: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})}, Backend: "host-gw"},
		})
	}
	return lease.SetOf(all...)
}

// What an agent says of itself is on disk at once, and leases soon.
func TestWhatIsWrittenIsReadBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "records")
		log := slog.New(slog.DiscardHandler)
		p, _ := persister.Open(path, log)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		read := func() intent.Persisted {
			_, persisted := persister.Open(path, log)
			return persisted
		}
		p.Leases(leases(3))
		p.Write(&intent.Persisted{Owns: intent.Ownership{Links: []string{"flannel.1"}}})
		if got := read(); len(got.Owns.Links) != 1 || got.Snapshot.Leases.Len() != 3 {
			t.Errorf("at first: %+v", got)
		}
		p.Leases(leases(2))
		p.Leases(leases(200))
		time.Sleep(time.Second) // of the bubble's clock
		synctest.Wait()
		if got := read(); got.Snapshot.Leases.Len() != 200 {
			t.Errorf("after a second %d leases are copied", got.Snapshot.Leases.Len())
		}
		p.Leases(leases(199))
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if got := read(); got.Snapshot.Leases.Len() != 199 || fmt.Sprint(got.Owns.Links) != "[flannel.1]" {
			t.Errorf("at the end: %+v", got)
		}
	})
}

// A directory that cannot be written to is tried again, and then everything is
// written.
func TestAFailureIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "state") // which is not there yet
		path, log := filepath.Join(dir, "records"), slog.New(slog.DiscardHandler)
		p, _ := persister.Open(path, log)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		p.Leases(leases(3))
		p.Write(&intent.Persisted{Owns: intent.Ownership{Links: []string{"flannel.1"}}})
		time.Sleep(time.Minute) // of the bubble's clock
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, got := persister.Open(path, log); len(got.Owns.Links) != 1 || got.Snapshot.Leases.Len() != 3 {
			t.Errorf("a minute after the directory is there: %+v", got)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
