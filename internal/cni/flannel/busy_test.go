package flannel

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// program writes a script and leaves the file open.
func program(t *testing.T, text string) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "plugin"), os.O_CREATE|os.O_WRONLY, 0o755)
	if err == nil {
		_, err = f.WriteString("#!/bin/sh\n" + text + "\n")
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestProgramThatIsBeingWritten is started when it is complete. Time is the
// bubble's.
func TestProgramThatIsBeingWritten(t *testing.T) {
	f := program(t, "echo done")
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan error)
		go func() {
			time.Sleep(3 * time.Second)
			closed <- f.Close()
		}()
		out, err := run(t.Context(), f.Name(), nil, nil)
		if string(out) != "done\n" || err != nil {
			t.Errorf("got %q, %v", out, err)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

func TestProgramThatStaysOpen(t *testing.T) {
	f := program(t, "echo done")
	defer func() { _ = f.Close() }() // it is complete
	synctest.Test(t, func(t *testing.T) {
		if _, err := run(t.Context(), f.Name(), nil, nil); !errors.Is(err, syscall.ETXTBSY) || !strings.Contains(err.Error(), f.Name()) {
			t.Errorf("got %v", err)
		}
	})
}

// TestCancelledPlugin ends with the programs that it started, and the error
// says why.
func TestCancelledPlugin(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "alive"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The inner shell writes and then holds the pipe open for as long as it lives.
	f := program(t, `sh -c 'echo started; read never <`+dir+`/never' >`+dir+`/alive`)
	if err := errors.Join(f.Close(), syscall.Mkfifo(filepath.Join(dir, "never"), 0o600)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error)
	go func() {
		_, err := run(ctx, f.Name(), nil, os.Environ())
		ended <- err
	}()
	alive, err := os.Open(filepath.Join(dir, "alive"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = alive.Close() }() // it is only read
	if _, err := alive.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	cancel(errors.New("the runtime gave up"))
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "the runtime gave up") || !strings.Contains(err.Error(), f.Name()) {
		t.Errorf("got %v", err)
	}
	if n, err := alive.Read(make([]byte, 100)); n != 0 {
		t.Errorf("the inner program wrote %d bytes more, %v", n, err)
	}
}
