package cni

import (
	"context"
	"errors"
	"os/signal"
	"syscall"
	"time"
)

// callTimeout bounds a call. Kubelets give up after 2 minutes, and an error
// that names what the call waited for should arrive before that.
const callTimeout = 90 * time.Second

var errTimeout = errors.New("the call took longer than " + callTimeout.String())

// bounded returns the context of one call. It ends with SIGTERM and SIGINT, so
// that a call that waits answers with an error, and after callTimeout. The
// second signal ends the process, whatever it is doing.
//
// It must not be called before the config is read: a process that waits for
// its standard input has no other way to end than the signal.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	ctx, cancel := context.WithTimeoutCause(ctx, callTimeout, errTimeout)
	restored := context.AfterFunc(ctx, stop)
	return ctx, func() { restored(); cancel(); stop() }
}
