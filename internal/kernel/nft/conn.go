package nft

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/kernel/rtnl"
)

// Conn speaks to the nftables of the network namespace of the thread that
// opened it. Its methods may be called from any goroutine.
type Conn struct {
	log *slog.Logger

	mu   sync.Mutex // guards the socket
	conn *rtnl.Conn

	view    atomic.Pointer[view]           // what Watch goes by
	members atomic.Pointer[map[setID]bool] // likewise: sets whose members decide on what is stopped
}

// Open opens a socket. Whether the kernel has nftables shows at the first use.
func Open(log *slog.Logger) (*Conn, error) {
	c, err := rtnl.OpenNetfilter()
	if err != nil {
		return nil, fmt.Errorf("reach the kernel's firewall: %w", err)
	}
	n := &Conn{log: log, conn: c}
	n.view.Store(&view{})
	n.members.Store(&map[setID]bool{})
	return n, nil
}

// Close releases the socket. It must not be called while another method runs.
func (c *Conn) Close() error { return c.conn.Close() }

// ErrAbsent says that the kernel has no nftables.
var ErrAbsent = errors.New("this kernel has no nf_tables: load the module with: modprobe nf_tables")

// ErrDenied says that the firewall may not even be read.
var ErrDenied = errors.New("CAP_NET_ADMIN is needed to see the firewall; run weft as root or give it that capability")

// explain turns a refusal that concerns all of nftables into one of the above.
func explain(err error) error {
	switch {
	case errors.Is(err, syscall.EPERM):
		return &absence{ErrDenied, err}
	case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.EPROTONOSUPPORT):
		return &absence{ErrAbsent, err}
	}
	return err
}

// absence is a refusal that concerns all of nftables.
type absence struct{ why, answer error }

// Error says why.
func (a *absence) Error() string { return fmt.Sprintf("%v (%v)", a.why, a.answer) }

// Unwrap makes errors.Is find the reason, and host.ErrNoFirewall.
func (a *absence) Unwrap() []error { return []error{a.why, a.answer, host.ErrNoFirewall} }

// patience is how often a list is read again that changed while it was read.
const patience = 100

// again repeats a step whose list the kernel interrupted.
func again(ctx context.Context, step func() error) error {
	for range patience {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(); !errors.Is(err, rtnl.ErrInterrupted) {
			return err
		}
	}
	return fmt.Errorf("%w, %d times over", rtnl.ErrInterrupted, patience)
}
