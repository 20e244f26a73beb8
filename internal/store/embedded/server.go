package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
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
}

// startTimeout is how long a server may take to read its data and elect itself.
const startTimeout = 30 * time.Second

// Serve starts a server and returns when it takes requests. It runs until
// Close; ctx only bounds the start.
func Serve(ctx context.Context, o ServerOptions) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		return nil, errors.New("embedded etcd: TLS needs a certificate and its key")
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
	conf, listen, err := o.config()
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
	return nil
}

// Endpoints returns the URLs for clients.
func (s *Server) Endpoints() []string { return s.endpoints }

// Close stops the server and waits for it.
func (s *Server) Close() error {
	if s.etcd != nil {
		s.etcd.Close()
	}
	return s.lock.Close()
}

func (o ServerOptions) config() (*embed.Config, url.URL, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, url.URL{}, err
	}
	listen := o.listenURL(dir)
	c := embed.NewConfig()
	c.Name = "weft"
	c.Dir = filepath.Join(dir, "data")
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{listen}, []url.URL{listen}
	peer := url.URL{Scheme: "http", Host: "127.0.0.1:0"} // nobody ever calls
	c.ListenPeerUrls, c.AdvertisePeerUrls = nil, []url.URL{peer}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.ClientTLSInfo = transport.TLSInfo{
		CertFile: o.CertFile, KeyFile: o.KeyFile,
		TrustedCAFile: o.ClientCAFile, ClientCertAuth: o.ClientCAFile != "",
	}
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.New(slogCore{o.Log}))
	c.EnableGRPCGateway = false
	c.TickMs, c.ElectionMs = 100, 500 // alone in its cluster: elect soon
	// A few thousand small keys that change once a day: keep little history
	// in memory and on disk.
	c.SnapshotCount = 5000
	c.SnapshotCatchUpEntries = 500
	c.MaxWalFiles, c.MaxSnapFiles = 2, 2
	c.QuotaBackendBytes = 512 << 20
	c.AutoCompactionMode, c.AutoCompactionRetention = embed.CompactorModePeriodic, "1h"
	return c, listen, nil
}

func (o ServerOptions) listenURL(dir string) url.URL {
	switch {
	case o.Listen == "":
		return url.URL{Scheme: "unix", Path: filepath.Join(dir, "etcd.sock")}
	case o.CertFile != "":
		return url.URL{Scheme: "https", Host: o.Listen}
	}
	return url.URL{Scheme: "http", Host: o.Listen}
}
