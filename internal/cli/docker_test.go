package cli_test

import (
	"net"
	"net/http"
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

// docker-says SOCKET [FILE]: a Docker daemon listens at SOCKET, whose default bridge is FILE; without FILE there is none.
func cmdDockerSays(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || len(args) > 2 {
		ts.Fatalf("usage: docker-says SOCKET [FILE]")
	}
	socket := ts.MkAbs(args[0])
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		ts.Fatalf("%v", err)
	}
	if len(args) == 1 {
		return
	}
	file := ts.MkAbs(args[1])
	listener, err := net.Listen("unix", socket)
	ts.Check(err)
	listener.(*net.UnixListener).SetUnlinkOnClose(false) // by then another may have its name
	mux := http.NewServeMux()
	mux.HandleFunc("GET /networks/bridge", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	server := &http.Server{Handler: mux}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // until it is closed
	}()
	ts.Defer(func() {
		_ = server.Close()
		<-done
	})
}
