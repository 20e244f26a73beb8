package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/nft"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netdump"
)

// Packet is a packet to send.
type Packet struct {
	Src, Dst netip.Addr
	Proto    uint8
	Port     uint16 // destination port, of TCP and UDP
	MAC      string // of the container's device, if Src is a container's; "": any
	Inside   bool   // Src is a container's
	Tunnels  []uint16
}

// answerTime is how long an answer is waited for, and quietTime how long the kernel must
// tell nothing more after that.
const (
	answerTime = 2 * time.Second
	quietTime  = 300 * time.Millisecond
)

// Sent is what became of a packet.
type Sent struct {
	Steps    []netdump.Step
	Answered bool
	Took     time.Duration // until the answer
}

// Send sends a packet as its source would, and returns what the rules of this host did with
// it and with the answer. Only addresses of this host and of its containers can send.
func (k *Kernel) Send(ctx context.Context, p Packet) (out Sent, err error) {
	from, err := k.sender(p)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	var s *socket
	if err := from.do(func() (err error) { s, err = openSocket(p); return err }); err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var t *nft.Tracer
	err = k.ns.do(func() (err error) {
		t, err = nft.OpenTrace(nft.Traced{Src: p.Src, Dst: p.Dst, Proto: p.Proto, ID: s.id, Ports: p.Tunnels})
		return err
	})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	return follow(ctx, t, s)
}

// follow sends and listens until the answer is there, or it is late, and the kernel quiet.
func follow(ctx context.Context, t *nft.Tracer, s *socket) (out Sent, err error) {
	ctx, cancel := context.WithCancel(ctx)
	steps, ended := make(chan netdump.Step, 1024), make(chan error, 1)
	defer func() {
		cancel()
		for range steps { // until the listener has ended
		}
	}()
	go func() {
		ended <- t.Steps(ctx, func(s netdump.Step) bool {
			select {
			case steps <- s:
				return true
			case <-ctx.Done():
				return false
			}
		})
		close(steps)
	}()
	type answer struct {
		came bool
		err  error
	}
	answers := make(chan answer, 1)
	begin := time.Now()
	go func() {
		came, err := s.exchange()
		answers <- answer{came, err}
	}()
	quiet := time.NewTimer(answerTime + quietTime)
	defer quiet.Stop()
	waiting := true
	for {
		select {
		case step, open := <-steps:
			if !open {
				if waiting {
					<-answers
				}
				return out, errors.Join(<-ended, ctx.Err())
			}
			out.Steps = append(out.Steps, step)
			if !waiting {
				quiet.Reset(quietTime)
			}
		case a := <-answers:
			out.Answered, out.Took, err, waiting = a.came, time.Since(begin), a.err, false
			quiet.Reset(quietTime)
		case <-quiet.C:
			if waiting {
				a := <-answers // its own time is over as well
				out.Answered, out.Took, err = a.came, time.Since(begin), a.err
			}
			return out, err
		case <-ctx.Done():
			if waiting {
				<-answers
			}
			return out, ctx.Err()
		}
	}
}

// sender returns the namespace of a packet's source.
func (k *Kernel) sender(p Packet) (namespace, error) {
	if !p.Inside {
		f, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", k.ns.file.Fd()))
		return namespace{f}, err
	}
	own, err := k.ns.file.Stat()
	if err != nil {
		return namespace{}, err
	}
	seen := []os.FileInfo{own}
	for _, pattern := range namespaces {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return namespace{}, err
		}
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil || contains(seen, info) {
				continue // the process has ended, or is another user's
			}
			seen = append(seen, info)
			if ns, ok := namespaceAt(file, p); ok {
				return ns, nil
			}
		}
	}
	return namespace{}, fmt.Errorf("no network namespace with the address %s was found: is it a virtual machine's, or may this user not look into it?", p.Src)
}

// namespaces are where container runtimes keep network namespaces, then those of processes
// and of their threads.
var namespaces = []string{"/run/netns/*", "/run/docker/netns/*", "/proc/[0-9]*/ns/net", "/proc/[0-9]*/task/[0-9]*/ns/net"}

// namespaceAt opens a namespace if it has a packet's source.
func namespaceAt(file string, p Packet) (namespace, bool) {
	f, err := os.Open(file)
	if err != nil {
		return namespace{}, false
	}
	ns := namespace{f}
	if ns.has(p.Src, p.MAC) {
		return ns, true
	}
	_ = f.Close() // read only
	return namespace{}, false
}

func contains(seen []os.FileInfo, info os.FileInfo) bool {
	for _, one := range seen {
		if os.SameFile(one, info) {
			return true
		}
	}
	return false
}

// has reports whether a device of the namespace has the address and, if it is not "", the MAC.
func (n namespace) has(addr netip.Addr, mac string) (found bool) {
	err := n.do(func() error {
		conn, err := rtnl.Open()
		if err != nil {
			return err
		}
		defer conn.Close()
		owner := int32(0)
		err = codec.ReadAddrs(conn, 0, func(a codec.Addr) {
			if a.Prefix.Addr() == addr {
				owner = a.Index
			}
		})
		if err != nil || owner == 0 {
			return err
		}
		return codec.ReadLink(conn, owner, "", func(l codec.Link) {
			found = mac == "" || net.HardwareAddr(l.MAC).String() == mac
		})
	})
	return found && err == nil
}

// socket sends one packet and hears its answer.
type socket struct {
	fd   int
	id   uint16
	icmp bool
	v6   bool
	dst  unix.Sockaddr
	tcp  bool
}

func (s *socket) close() error { return unix.Close(s.fd) }
