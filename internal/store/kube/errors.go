package kube

import (
	"context"
	"errors"
	"fmt"
	"net"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// errClosed is what calls on a closed store get.
var errClosed = errors.New("the store is closed")

// callError says why a request failed. It hides the deadline of one request,
// which is not the caller's, and keeps every other cause.
type callError struct {
	url, what, words string
	cause            error // nil if it was only our own deadline
}

func (e *callError) Error() string {
	return fmt.Sprintf("Kubernetes API at %s: %s: %s", e.url, e.what, e.words)
}

func (e *callError) Unwrap() error { return e.cause }

// explain puts err into words for people. ctx is the caller's.
func (c *client) explain(ctx context.Context, what string, err error) error {
	if _, said := errors.AsType[*callError](err); err == nil || said {
		return err
	}
	out := &callError{url: c.url, what: what, cause: err}
	switch {
	case ctx.Err() != nil:
		out.words, out.cause = "given up", ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		out.words, out.cause = fmt.Sprintf("no answer within %s", c.timeout), nil
	case apierrors.IsForbidden(err):
		out.words = fmt.Sprintf("refused: %s; the ClusterRole needs get on pods, get, list and watch on nodes, and patch on nodes/status", message(err))
	case apierrors.IsUnauthorized(err):
		out.words = "the credentials are not accepted; look at the token or the kubeconfig"
	default:
		out.words = message(err)
	}
	return out
}

// message leaves out of err what is said already: the method and the URL.
func message(err error) string {
	if status, ok := errors.AsType[*apierrors.StatusError](err); ok {
		return status.ErrStatus.Message
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return "not reached: " + op.Error()
	}
	return err.Error()
}
