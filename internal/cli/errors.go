package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// usageError says that the command line or the environment is not valid.
type usageError struct {
	err  error
	hint string
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }
func (e *usageError) Hint() string {
	if e.hint == "" {
		return "'weft COMMAND --help' shows what each command takes"
	}
	return e.hint
}

func usagef(format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...)}
}

// exitError ends the process with a code; without err nothing is printed,
// because the command has printed everything.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}
func (e *exitError) Unwrap() error { return e.err }

// hinted adds a line of advice to an error.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }
func (e *hinted) Hint() string  { return e.hint }

func withHint(err error, format string, args ...any) error {
	return &hinted{error: err, hint: fmt.Sprintf(format, args...)}
}

// hintOf returns the advice that comes with err, or advice for common causes.
func hintOf(err error) string {
	var h interface {
		error
		Hint() string
	}
	switch {
	case errors.As(err, &h):
		return h.Hint()
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "make it writable or free space, or choose other directories with --state-dir and --run-dir"
	case errors.Is(err, fs.ErrPermission):
		return "run as root, or choose other directories with --state-dir and --run-dir"
	case errors.Is(err, context.Canceled):
		return ""
	case errors.Is(err, context.DeadlineExceeded):
		return "--timeout allows more time"
	}
	return ""
}
