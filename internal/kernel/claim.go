package kernel

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ClaimedError says that another agent in this network namespace has what was
// to be claimed.
type ClaimedError struct {
	Name string
	PID  int32 // of that agent, as this process sees it; 0: unknown
}

// Error names the thing and the other process.
func (e *ClaimedError) Error() string {
	who := ""
	if e.PID != 0 {
		who = fmt.Sprintf(" (process %d)", e.PID)
	}
	return e.Name + " is another agent's on this host" + who
}

// Claim makes name, a device or a network, this process's in the network
// namespace, so that two agents do not undo each other's work without end. It
// holds until it is closed or the process ends. A name that another agent has
// is a *ClaimedError.
//
// The claim is a socket with an abstract name (unix(7)), which belongs to the
// network namespace as the things do that it stands for. Anybody can make
// one: those of other users, but for root's, do not count.
func (k *Kernel) Claim(name string) (io.Closer, error) {
	var claim net.Listener
	err := k.ns.do(func() (err error) {
		claim, err = net.Listen("unix", "@weft/"+name)
		if errors.Is(err, syscall.EADDRINUSE) {
			err = claimant(name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if claim == nil {
		return io.NopCloser(nil), nil
	}
	return claim, nil
}

// claimant returns a *ClaimedError for the process that has name, or nil if it
// is of a user whose claims do not count.
func claimant(name string) error {
	conn, err := net.DialTimeout("unix", "@weft/"+name, time.Second)
	if err != nil { // nobody takes connections in, so that there may be too many
		return &ClaimedError{Name: name}
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return err
	}
	var who *unix.Ucred
	if ctl := raw.Control(func(fd uintptr) {
		who, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); ctl != nil || err != nil {
		return fmt.Errorf("ask who has %s: %w", name, errors.Join(ctl, err))
	}
	if who.Uid != 0 && int(who.Uid) != os.Geteuid() {
		return nil
	}
	return &ClaimedError{Name: name, PID: who.Pid}
}
