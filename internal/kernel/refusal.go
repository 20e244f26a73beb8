package kernel

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/weft-net/weft/internal/netstate"
)

// attempt says what op was to do.
func attempt(op netstate.Op) string {
	verb := [...]string{netstate.Add: "add", netstate.Replace: "change", netstate.Remove: "remove", netstate.Rename: "rename to"}[op.Verb]
	return verb + " " + op.Row.String()
}

// refused returns the error of op for the kernel's answer err: nil if what op
// wanted is so, else what was attempted, and how to mend it where that is
// known.
func refused(op netstate.Op, err error) error {
	if err == nil || op.Verb == netstate.Remove && isGone(err) {
		return nil
	}
	return fmt.Errorf("%s: %w%s", attempt(op), err, hint(op, err))
}

// isGone reports whether err says that what was to be removed is not there.
func isGone(err error) bool {
	for _, gone := range []syscall.Errno{syscall.ENOENT, syscall.ESRCH, syscall.ENODEV, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, gone) {
			return true
		}
	}
	return false
}

// hint says how to mend err, if that can be said without looking.
func hint(op netstate.Op, err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return ""
	}
	switch errno {
	case syscall.EPERM:
		return ": CAP_NET_ADMIN is needed; run weft as root or give it that capability"
	case syscall.ENOBUFS, syscall.ENOMEM:
		return ": the kernel is out of memory"
	}
	switch r := op.Row.(type) {
	case netstate.Link:
		return linkHint(r, errno)
	case netstate.Route:
		return routeHint(r, errno)
	}
	return ""
}

func linkHint(l netstate.Link, errno syscall.Errno) string {
	switch errno {
	case syscall.EOPNOTSUPP:
		if l.Kind == netstate.KindIPIP {
			return ": this kernel has no ipip devices; load the modules with: modprobe ipip (which loads ip_tunnel), or use a kernel that has them, or another backend, such as vxlan"
		}
		return fmt.Sprintf(": this kernel has no %s devices; load the module with: modprobe %s", l.Kind, l.Kind)
	case syscall.EADDRINUSE:
		return fmt.Sprintf(": UDP port %d is in use by another program or by a vxlan device with other options", l.Port)
	case syscall.EAFNOSUPPORT:
		return fmt.Sprintf(": the kernel has no address family for %s; is IPv6 turned off?", l.Local)
	}
	return ""
}

func routeHint(r netstate.Route, errno syscall.Errno) string {
	switch {
	case errno == syscall.ENETDOWN:
		return fmt.Sprintf(": bring it up with: ip link set %s up", r.Dev)
	case (errno == syscall.ENETUNREACH || errno == syscall.EHOSTUNREACH || errno == syscall.EINVAL) && r.Via.IsValid() && !r.OnLink:
		return fmt.Sprintf(": is %s within a prefix of %s?", r.Via, r.Dev)
	}
	return ""
}
