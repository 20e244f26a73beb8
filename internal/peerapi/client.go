package peerapi

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/weft-net/weft/internal/api"
)

const (
	dialTimeout = 3 * time.Second
	askTimeout  = 12 * time.Second // for a whole answer
	maxAnswer   = 32 << 20         // bytes; the status of 10,000 peers has some 8 MB
)

// Client asks the agents of other hosts.
type Client struct {
	own netip.AddrPort // where this host's agent answers
}

// NewClient returns a client of the agents of the network in which this host's
// agent answers at own. Other hosts answer that address alone.
func NewClient(own netip.AddrPort) Client { return Client{own} }

// Host returns a client of the agent of the host whose address in the overlay is
// a. It is to be closed.
func (c Client) Host(a netip.Addr) *api.Client {
	at := netip.AddrPortFrom(a, c.own.Port())
	dialer := net.Dialer{Timeout: dialTimeout, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.own.Addr(), 0))}
	return api.NewClient(at.String(), maxAnswer, func(ctx context.Context) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp", at.String())
	})
}

// Check asks a host for its checks. An error means that nothing is known of it.
func (c Client) Check(ctx context.Context, a netip.Addr) (out Answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	agent := c.Host(a)
	defer agent.Close()
	err = agent.Document(ctx, api.PathCheck, &out)
	return out, err
}
