package rtnl

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// Error is the kernel's refusal of a request.
type Error struct {
	Errno syscall.Errno
	Text  string // the kernel's explanation, often empty
}

// Error is the kernel's explanation and the errno's text.
func (e *Error) Error() string {
	if e.Text == "" {
		return e.Errno.Error()
	}
	return e.Text + " (" + e.Errno.Error() + ")"
}

// Unwrap makes errors.Is(err, syscall.EEXIST) work.
func (e *Error) Unwrap() error { return e.Errno }

// ErrInterrupted says that what was listed changed while it was listed, so
// that rows may be missing or doubled: list again.
var ErrInterrupted = errors.New("the list changed while the kernel listed it")

// ErrLost says that the kernel dropped notifications because they came faster
// than they were read.
var ErrLost = errors.New("notifications were lost")

// fault decodes an NLMSG_ERROR message; nil for an acknowledgement.
func fault(m Message) error {
	if len(m.Data) < 4 {
		return errMalformed
	}
	code := int32(native.Uint32(m.Data))
	if code == 0 {
		return nil
	}
	return &Error{Errno: syscall.Errno(-code), Text: explanation(m)}
}

// explanation finds NLMSGERR_ATTR_MSG behind the error. With NETLINK_CAP_ACK
// the kernel echoes no more of the request than its header.
func explanation(m Message) string {
	if m.Flags&unix.NLM_F_ACK_TLVS == 0 {
		return ""
	}
	skip := 4 + unix.SizeofNlMsghdr
	if m.Flags&unix.NLM_F_CAPPED == 0 && len(m.Data) >= 8 {
		skip = 4 + align(int(native.Uint32(m.Data[4:])))
	}
	return find(m, skip)
}

func find(m Message, skip int) string {
	_, attrs, ok := m.Header(skip)
	if !ok {
		return ""
	}
	for a := range attrs.All() {
		if a.Type == unix.NLMSGERR_ATTR_MSG {
			return a.String()
		}
	}
	return ""
}

// doneError decodes NLMSG_DONE, which carries an error of the dump itself.
func doneError(m Message) error {
	if len(m.Data) < 4 || native.Uint32(m.Data) == 0 {
		return nil
	}
	return &Error{Errno: syscall.Errno(-int32(native.Uint32(m.Data))), Text: find(m, 4)}
}
