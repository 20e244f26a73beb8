package nft_test

import (
	"errors"
	"log/slog"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/kernel/nft"
	"github.com/weft-net/weft/internal/netns"
	"github.com/weft-net/weft/internal/netstate"
)

// TestWithoutPrivileges opens the firewall on a thread that has given up all
// capabilities, as `weft plan` does for a user who is not root.
func TestWithoutPrivileges(t *testing.T) {
	ns, err := netns.New("host")
	check(t, err)
	t.Cleanup(func() { check(t, ns.Close()) })
	check(t, ns.Do(func() error {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil { // of this thread, which is the namespace's own
			return err
		}
		c, err := nft.Open(slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		_, err = c.Barriers(t.Context())
		if !errors.Is(err, host.ErrNoFirewall) || !errors.Is(err, os.ErrPermission) {
			t.Errorf("barriers: %v", err)
		}
		have, err := c.Observe(t.Context(), scope)
		if err != nil || len(have.Tables) > 0 {
			t.Errorf("observed %v, %v", have, err)
		}
		errs := c.Apply([]netstate.Op{{Row: netstate.NFTable{Name: "weft"}}})
		if !errors.Is(errs[0], nft.ErrDenied) {
			t.Errorf("apply: %v", errs[0])
		}
		return nil
	}))
}
