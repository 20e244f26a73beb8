package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// ServerOptions say where a server keeps its data and whom it serves.
type ServerOptions struct {
	Dir string // made if need be, with mode 0700; one process at a time

	// Listen is "host:port" to serve; port 0 takes a free one. Empty: a unix
	// socket in Dir, which only this user can reach.
	Listen string

	// CertFile and KeyFile turn on TLS on Listen; with ClientCAFile clients
	// need a certificate that it signed.
	CertFile, KeyFile, ClientCAFile string

	Log *slog.Logger // default: nothing is logged
}

// Server is a running etcd.
type Server struct {
	etcd      *embed.Etcd
	lock      *os.File
	endpoints []string
	serving   atomic.Bool // neither starting nor stopping
}

// startTimeout is how long a server may take to read its data and elect itself.
const startTimeout = 30 * time.Second

// Serve starts a server and returns when it takes requests. It runs until
// Close; ctx only bounds the start.
func Serve(ctx context.Context, o ServerOptions) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := o.checkTLS(); err != nil {
		return nil, fmt.Errorf("embedded etcd: %w", err)
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Server{lock: lock}
	if err := s.start(ctx, o); err != nil {
		s.Close()
		return nil, fmt.Errorf("embedded etcd in %s: %w", o.Dir, err)
	}
	return s, nil
}

// start sets s.etcd as soon as there is something to close.
func (s *Server) start(ctx context.Context, o ServerOptions) error {
	conf, listen, err := o.config(&s.serving)
	if err != nil {
		return err
	}
	if s.etcd, err = embed.StartEtcd(conf); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	select {
	case <-s.etcd.Server.ReadyNotify():
	case <-s.etcd.Server.StopNotify():
		return errors.New("it stopped while starting; see the log")
	case <-ctx.Done():
		return fmt.Errorf("it was not ready in time: %w", ctx.Err())
	}
	if listen.Scheme != "unix" {
		listen.Host = s.etcd.Clients[0].Addr().String() // the port that was free
	}
	s.endpoints = []string{listen.String()}
	s.serving.Store(true)
	return nil
}

// Endpoints returns the URLs for clients.
func (s *Server) Endpoints() []string { return s.endpoints }

// Close stops the server and waits for it.
func (s *Server) Close() error {
	s.serving.Store(false)
	if s.etcd != nil {
		s.etcd.Close()
	}
	return s.lock.Close()
}
