package kernel

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// hasXFRM reports whether the calling thread's network namespace has policies of
// IPsec, by which the kernel encrypts, drops or lets through what it routes.
func hasXFRM() (has bool, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_XFRM)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open a netlink socket for IPsec: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	request := make([]byte, unix.SizeofNlMsghdr+sizeofUserpolicyID)
	native.PutUint32(request[0:], uint32(len(request)))
	native.PutUint16(request[4:], xfrmMsgGetPolicy)
	native.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false, fmt.Errorf("ask for IPsec policies: %w", err)
	}
	answer := make([]byte, os.Getpagesize())
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil || n < unix.SizeofNlMsghdr {
		return false, fmt.Errorf("read IPsec policies: %w", err)
	}
	switch native.Uint16(answer[4:]) {
	case xfrmMsgNewPolicy:
		return true, nil
	case unix.NLMSG_ERROR:
		if n >= unix.SizeofNlMsghdr+4 {
			return false, fmt.Errorf("read IPsec policies: %w", unix.Errno(-int32(native.Uint32(answer[unix.SizeofNlMsghdr:]))))
		}
	}
	return false, nil
}

// Of linux/xfrm.h.
const (
	xfrmMsgNewPolicy   = 0x13
	xfrmMsgGetPolicy   = 0x15
	sizeofUserpolicyID = 64 // struct xfrm_userpolicy_id
)
