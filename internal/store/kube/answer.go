package kube

import (
	"context"
	"fmt"
	"io"
	"time"

	"k8s.io/client-go/rest"
)

// answer is the body of a response that is read while it comes. Reading fails
// when nothing has come for as long as silence.
type answer struct {
	io.ReadCloser
	ctx     context.Context // of the request; its cause says why reading failed
	end     context.CancelCauseFunc
	timer   *time.Timer
	silence time.Duration
}

// silentError says that the server did not send anything for some time.
type silentError struct{ after time.Duration }

func (e *silentError) Error() string { return fmt.Sprintf("no answer within %s", e.after) }

// ask sends r and returns the answer, for which it waits no longer than for
// that of any other request.
func (c *client) ask(ctx context.Context, r *rest.Request, silence time.Duration) (*answer, error) {
	a := &answer{silence: silence}
	a.ctx, a.end = context.WithCancelCause(ctx)
	late := &silentError{c.timeout}
	a.timer = time.AfterFunc(c.timeout, func() { a.end(late) })
	var err error
	if a.ReadCloser, err = r.MaxRetries(retries).Stream(a.ctx); err != nil {
		err = a.cause(err)
		a.stop()
		return nil, err
	}
	a.timer.Stop()
	late = &silentError{silence}
	a.timer = time.AfterFunc(silence, func() { a.end(late) })
	return a, nil
}

// Read implements io.Reader.
func (a *answer) Read(p []byte) (int, error) {
	a.timer.Reset(a.silence)
	n, err := a.ReadCloser.Read(p)
	return n, a.cause(err)
}

// cause is the reason of err if the request was given up.
func (a *answer) cause(err error) error {
	if err != nil && err != io.EOF && a.ctx.Err() != nil {
		return context.Cause(a.ctx)
	}
	return err
}

// Close implements io.Closer.
func (a *answer) Close() error {
	a.stop()
	return a.ReadCloser.Close()
}

func (a *answer) stop() {
	a.timer.Stop()
	a.end(nil)
}
