package kube

import (
	"context"
	"fmt"
	"io"
	"time"

	"k8s.io/client-go/rest"
)

// response is the body of a response that is decoded while it arrives. Reading
// fails when the server has sent nothing for the time of silence.
type response struct {
	io.ReadCloser
	ctx     context.Context // of the request; its cause says why reading failed
	end     context.CancelCauseFunc
	timer   *time.Timer
	silence time.Duration
}

// silentError is why a request ends on which the server sends nothing.
type silentError struct{ after time.Duration }

func (e *silentError) Error() string { return fmt.Sprintf("no answer within %s", e.after) }

// stream sends r and returns the response as soon as it begins, for which it
// waits as long as for that of any other request.
func (c *client) stream(ctx context.Context, r *rest.Request, silence time.Duration) (*response, error) {
	a := &response{silence: silence}
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
func (a *response) Read(p []byte) (int, error) {
	a.timer.Reset(a.silence)
	n, err := a.ReadCloser.Read(p)
	return n, a.cause(err)
}

// cause is why the request was canceled, if it was, and err otherwise.
func (a *response) cause(err error) error {
	if err != nil && err != io.EOF && a.ctx.Err() != nil {
		return context.Cause(a.ctx)
	}
	return err
}

// Close implements io.Closer.
func (a *response) Close() error {
	a.stop()
	return a.ReadCloser.Close()
}

func (a *response) stop() {
	a.timer.Stop()
	a.end(nil)
}
