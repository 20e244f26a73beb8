package kube

import (
	"context"
	"errors"
	"fmt"
	"net"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// errClosed is the error of calls on a closed store.
var errClosed = errors.New("the store is closed")

// callError is why a request failed. It hides the deadline of one request,
// which is not the caller's, and keeps every other cause.
type callError struct {
	url, what, words string
	cause            error // nil if it was only the deadline of the request
}

func (e *callError) Error() string {
	return fmt.Sprintf("Kubernetes API at %s: %s: %s", e.url, e.what, e.words)
}

func (e *callError) Unwrap() error { return e.cause }

// explain adds to err what was asked of which server. ctx is the caller's.
func (c *client) explain(ctx context.Context, what string, err error) error {
	if _, said := errors.AsType[*callError](err); err == nil || said {
		return err
	}
	out := &callError{url: c.url, what: what, cause: err}
	switch {
	case ctx.Err() != nil:
		out.words, out.cause = "canceled", ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		out.words, out.cause = fmt.Sprintf("no answer within %s", c.timeout), nil
	case apierrors.IsForbidden(err):
		out.words = fmt.Sprintf("forbidden: %s; the ClusterRole needs get on pods, get, list and watch on nodes, and patch on nodes/status", message(err))
	case apierrors.IsUnauthorized(err):
		out.words = "unauthorized: check the token or the kubeconfig"
	default:
		out.words = message(err)
	}
	return out
}

// message is err without what the callError says already: method and URL.
func message(err error) string {
	if status, ok := errors.AsType[*apierrors.StatusError](err); ok {
		return status.ErrStatus.Message
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return "unreachable: " + op.Error()
	}
	return err.Error()
}
