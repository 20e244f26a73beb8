package page

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/web"
)

// Server serves one page on one port.
type Server struct {
	source   Source
	listener net.Listener
	door     *door
	hub      *hub
}

// Listen opens a port of the loopback address, 0 for any that is free, for a
// page of source.
func Listen(port int, source Source) (*Server, error) {
	ln, err := net.Listen("tcp", netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port)).String())
	if err != nil {
		return nil, fmt.Errorf("open a port for the page: %w", err)
	}
	own, ok := ln.Addr().(*net.TCPAddr)
	if !ok {
		return nil, errors.Join(fmt.Errorf("open a port for the page: %v is no TCP address", ln.Addr()), ln.Close())
	}
	return &Server{source: source, listener: ln, door: newDoor("weft-" + strconv.Itoa(own.Port)), hub: newHub(source)}, nil
}

// URL is the address of the page with a token that lets one browser in. The
// token stands in the part that browsers send to no server. Each call makes a new
// token, and the former one is worth nothing.
func (s *Server) URL() string {
	return fmt.Sprintf("http://%s/#token=%s", s.listener.Addr(), s.door.renew())
}

// OnEntry has f called, each time, after a browser has used the token.
func (s *Server) OnEntry(f func()) { s.door.used = f }

// Close closes the port of a server that does not Serve.
func (s *Server) Close() error { return s.listener.Close() }

// Serve answers until ctx ends, and closes the port.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	asking.Go(func() { s.hub.run(ctx) })
	if s.source.Background != nil {
		asking.Go(func() { s.source.Background(ctx) })
	}
	err := api.Serve(ctx, s.listener, until(ctx, s.handler()))
	cancel()
	asking.Wait()
	return err
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(web.Files()))
	mux.HandleFunc("POST /api/session", s.door.enter)
	mux.HandleFunc("GET /api/live", s.door.inside(s.hub.live))
	for path, of := range questions {
		mux.HandleFunc("GET "+path, s.door.inside(s.source.ask(of)))
	}
	if s.source.Lab != nil {
		mux.HandleFunc("POST /api/lab/cut", s.door.inside(s.source.cut))
	}
	return guarded(mux)
}

// until ends requests with ctx, also streams, which have no end of their own.
func until(ctx context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own, cancel := context.WithCancel(r.Context())
		defer cancel()
		stop := context.AfterFunc(ctx, cancel)
		defer stop()
		next.ServeHTTP(w, r.WithContext(own))
	})
}
