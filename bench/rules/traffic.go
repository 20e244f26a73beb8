package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

const (
	port        = 9000
	payloadSize = 64 // bytes
)

// packets sends datagrams from one pod to the other as fast as it goes, and
// returns how many arrived.
func (w *world) packets(ctx context.Context, span time.Duration) (arrived int, err error) {
	var in net.PacketConn
	var out net.Conn
	addr, _ := w.ends[1].pod.Addr(false)
	to := netip.AddrPortFrom(addr, port).String()
	err = errors.Join(
		w.ends[1].pod.Do(func() (err error) { in, err = net.ListenPacket("udp", to); return err }),
		w.ends[0].pod.Do(func() (err error) { out, err = (&net.Dialer{}).DialContext(ctx, "udp", to); return err }))
	if err != nil {
		return 0, err
	}
	deadline := time.Now().Add(span)
	err = errors.Join(in.SetReadDeadline(deadline), out.SetWriteDeadline(deadline))
	var receiver sync.WaitGroup
	receiver.Go(func() {
		buffer := make([]byte, payloadSize)
		for err == nil {
			if _, _, readErr := in.ReadFrom(buffer); readErr != nil {
				return
			}
			arrived++
		}
	})
	var sendErr error
	for payload := make([]byte, payloadSize); sendErr == nil; {
		_, sendErr = out.Write(payload)
	}
	receiver.Wait()
	if !errors.Is(sendErr, os.ErrDeadlineExceeded) {
		err = errors.Join(err, sendErr)
	}
	return arrived, errors.Join(err, in.Close(), out.Close())
}

// connections opens one TCP connection after the other, and returns how many
// were made.
func (w *world) connections(ctx context.Context, span time.Duration) (made int, err error) {
	addr, _ := w.ends[1].pod.Addr(false)
	to := netip.AddrPortFrom(addr, port).String()
	var listener net.Listener
	if err := w.ends[1].pod.Do(func() (err error) { listener, err = net.Listen("tcp", to); return err }); err != nil {
		return 0, err
	}
	var server sync.WaitGroup
	server.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_ = c.Close() // the client has reset it
		}
	})
	err = w.ends[0].pod.Do(func() error {
		for deadline := time.Now().Add(span); time.Now().Before(deadline); made++ {
			if err := connect(ctx, to); err != nil {
				return err
			}
		}
		return nil
	})
	err = errors.Join(err, listener.Close())
	server.Wait()
	return made, err
}

// connect makes a connection and resets it, so that its port is free at once.
func connect(ctx context.Context, to string) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", to)
	if err != nil {
		return err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return fmt.Errorf("%s: not a TCP connection", to)
	}
	return errors.Join(tcp.SetLinger(0), tcp.Close())
}
