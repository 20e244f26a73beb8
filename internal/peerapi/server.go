package peerapi

import (
	"context"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/logonce"
	"github.com/weft-net/weft/internal/mailbox"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
)

// Update is what the server's address and its clients follow from.
type Update struct {
	Input   *plan.Input // nil before the first plan
	Desired *netstate.State
}

// Server answers the agents of other hosts. Updates are to be put in; Addr is
// safe for concurrent use; all else is for Run.
type Server struct {
	Updates mailbox.Mailbox[Update]

	check   Check
	log     *slog.Logger
	input   atomic.Pointer[plan.Input]
	address atomic.Pointer[netip.AddrPort]
	fault   logonce.Fault
}

// New returns a server that runs check for whoever asks for it, and has no
// checks if that is nil.
func New(check Check, log *slog.Logger) *Server {
	return &Server{Updates: mailbox.New[Update](), check: check, log: log}
}

// Addr returns where the server answers, the zero value if it does not.
func (s *Server) Addr() netip.AddrPort {
	if a := s.address.Load(); a != nil {
		return *a
	}
	return netip.AddrPort{}
}

// retryPause is between tries to open a port that another program has.
const retryPause = 10 * time.Second

// Run answers for a until ctx ends.
func (s *Server) Run(ctx context.Context, a api.Agent) error {
	handler := s.handler(a)
	var want netip.AddrPort
	end := func() {}
	defer func() { end() }()
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case u := <-s.Updates:
			s.input.Store(u.Input)
			want = addressOf(u)
		case <-retry.C:
		}
		if want == s.Addr() {
			continue
		}
		end()
		end = func() {}
		s.address.Store(nil)
		if want.Port() == 0 {
			continue
		}
		ln, err := listen(ctx, want, s.isHost)
		s.fault.Report(s.log, slog.LevelWarn, err, "cannot answer the agents of other hosts; choose another PeerPort", "answering the agents of other hosts",
			event.Attr, string(event.Problem), "address", want)
		if err != nil {
			retry.Reset(retryPause)
			continue
		}
		at := want
		s.address.Store(&at)
		end = serve(ctx, ln, handler)
	}
}

// addressOf returns where this host is to answer: at the address that its tunnel
// device has in the overlay. Without such a device there is none.
func addressOf(u Update) netip.AddrPort {
	if u.Input == nil || u.Desired == nil || u.Input.Net.PeerPort == 0 || len(u.Input.Self.Subnets) == 0 {
		return netip.AddrPort{}
	}
	own := u.Input.Self.Subnets[0].Addr()
	for a := range u.Desired.Addrs.All() {
		if a.Prefix == netip.PrefixFrom(own, own.BitLen()) {
			return netip.AddrPortFrom(own, u.Input.Net.PeerPort)
		}
	}
	return netip.AddrPort{}
}

// isHost reports whether a is the overlay address of another host of the
// network. Containers have other addresses.
func (s *Server) isHost(a netip.Addr) bool {
	in := s.input.Load()
	return in != nil && IsHost(in, a)
}
