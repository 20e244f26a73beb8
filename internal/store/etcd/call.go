package etcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weft-net/weft/internal/backoff"
	"github.com/weft-net/weft/internal/store"
)

// call runs fn until it succeeds, fails for good, or the time for one
// request is over; with Options.FailFast, or until every endpoint refuses
// connections. fn must be safe to run again after it failed: it reads, or
// it writes by compare-and-swap and can tell its own success.
func (c *client) call(ctx context.Context, what string, fn func(context.Context, *clientv3.Client) error) error {
	within, cancel := context.WithTimeout(ctx, c.o.RequestTimeout)
	defer cancel()
	if c.o.FailFast {
		defer c.untilRefused(within, cancel)()
	}
	pause := backoff.UntilBack()
	for {
		etcd, err := c.ready(within)
		token, _ := c.login.current()
		if err == nil {
			err = c.attempt(within, etcd, fn)
		}
		again := passing(err) || code(err) == codes.DeadlineExceeded
		if refusedToken(err) {
			// Users known by their certificate see the old revision too.
			again = c.login.forget(token) || errors.Is(err, rpctypes.ErrAuthOldRevision)
		}
		if err == nil || !again || pause.Wait(within) != nil {
			return c.explain(ctx, what, err)
		}
	}
}

// untilRefused calls give up when every endpoint has refused a connection. The
// function that it returns ends that, and gives up.
func (c *client) untilRefused(ctx context.Context, giveUp func()) (stop func()) {
	done, mark := make(chan struct{}), c.trail.mark()
	go func() {
		defer close(done)
		if c.trail.awaitRefusals(ctx, mark, len(c.urls)) {
			giveUp()
		}
	}()
	return func() { giveUp(); <-done }
}

// attempt runs fn once. Where there are several endpoints it gives fn half of
// the time that is left, so that a member of the cluster that hangs, or
// has just lost its leader and with it the request, leaves time for another.
func (c *client) attempt(ctx context.Context, etcd *clientv3.Client, fn func(context.Context, *clientv3.Client) error) error {
	if end, ok := ctx.Deadline(); ok && len(c.urls) > 1 {
		half, cancel := context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
		ctx = half
	}
	return fn(ctx, etcd)
}

// passing tells whether trying again can help.
func passing(err error) bool {
	switch code(err) {
	case codes.Unavailable, codes.ResourceExhausted:
		return !errors.Is(err, rpctypes.ErrNoSpace)
	}
	return false
}

func code(err error) codes.Code {
	if known, ok := errors.AsType[rpctypes.EtcdError](err); ok {
		return known.Code()
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return codes.Canceled
	case errors.Is(err, io.EOF): // the server ended a stream without a word
		return codes.Unavailable
	}
	return status.Code(err)
}

// outageError says why a call on etcd failed. It hides the deadline of one
// request, which is not the caller's, and keeps every other cause.
type outageError struct {
	urls  []string
	what  string
	words string
	where string // the addresses to which there is no connection, and why; "": there is one
	cause error  // nil if it was only our own deadline
}

func (e *outageError) Error() string {
	if e.where != "" {
		return "etcd is unreachable at " + e.where
	}
	return fmt.Sprintf("etcd at %s: %s: %s", strings.Join(e.urls, ", "), e.what, e.words)
}

func (e *outageError) Unwrap() error { return e.cause }

// Waiting is what somebody waits for who has not been connected yet, "" if that
// is not what is wrong.
func (e *outageError) Waiting() string {
	if e.where == "" {
		return ""
	}
	return "waiting for etcd at " + e.where
}

// Is makes an etcd to which there is no connection a store.ErrUnreachable.
func (e *outageError) Is(target error) bool { return target == store.ErrUnreachable && e.where != "" }

// explain makes err readable for operators. ctx is the caller's.
func (c *client) explain(ctx context.Context, what string, err error) error {
	if _, said := errors.AsType[*outageError](err); err == nil || said {
		return err
	}
	out := &outageError{urls: c.urls, what: what, words: c.words(err)}
	switch code(err) {
	case codes.DeadlineExceeded, codes.Canceled, codes.Unavailable:
		out.cause = ctx.Err()
		if why, failed := c.trail.cause(); failed >= len(c.urls) && c.life.Err() == nil && !isReply(err) {
			out.where = why
		}
	default:
		out.cause = err
	}
	return out
}

// isReply reports whether err is etcd's own, so that there is a connection.
func isReply(err error) bool {
	_, ok := errors.AsType[rpctypes.EtcdError](err)
	return ok
}

func (c *client) words(err error) string {
	if c.life.Err() != nil {
		return errClosed.Error()
	}
	switch {
	case errors.Is(err, rpctypes.ErrAuthFailed):
		return fmt.Sprintf("the password of user %q is wrong, or the user does not exist", c.o.Username)
	case errors.Is(err, rpctypes.ErrUserEmpty):
		return "it requires a user name and password; set --etcd-username and --etcd-password"
	case errors.Is(err, rpctypes.ErrPermissionDenied):
		return fmt.Sprintf("%s lacks permission; weft needs to read %[2]s/config and to read and write %[2]s/subnets/, and for all it can %[2]s/weft/; whoever changes the config needs to write that", c.who(), c.o.Prefix)
	}
	switch code(err) {
	case codes.DeadlineExceeded, codes.Canceled, codes.Unavailable:
		return c.unreachable(err)
	}
	return err.Error()
}

// unreachable prefers the reason of the last failed connection over what grpc
// makes of it.
func (c *client) unreachable(err error) string {
	if known, ok := errors.AsType[rpctypes.EtcdError](err); ok {
		return known.Error()
	}
	why, failed := c.trail.cause()
	switch {
	case failed > 0:
		return "unreachable: " + why + "; no answer from the others"
	case code(err) == codes.Canceled:
		return "given up"
	case code(err) == codes.DeadlineExceeded:
		return "connected, but no answer within " + c.o.RequestTimeout.String()
	}
	return "the connection was lost"
}
