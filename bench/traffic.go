package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// traffic is a kind of it, and the rows that measuring it once fills.
type traffic struct {
	rows    []string
	measure func(w way, d time.Duration) ([]float64, error)
}

var traffics = []traffic{
	{[]string{"stream", "CPU of it"}, func(w way, d time.Duration) ([]float64, error) { return streams(w, 1, d) }},
	{[]string{"8 streams"}, func(w way, d time.Duration) ([]float64, error) { return streams(w, 8, d) }},
	{[]string{"request/response", "p99 of it"}, requests},
	{[]string{"connections"}, func(w way, d time.Duration) ([]float64, error) { return one(connections(w, d)) }},
	{[]string{"UDP 64"}, func(w way, d time.Duration) ([]float64, error) { return one(flood(w, payload, d)) }},
	{[]string{"UDP full"}, func(w way, d time.Duration) ([]float64, error) { return one(flood(w, fullPayload, d)) }},
}

var units = map[string]string{
	"stream": "Gbit/s", "CPU of it": "s/Gbit", "8 streams": "Gbit/s", "request/response": "1/s", "p99 of it": "us",
	"connections": "1/s", "UDP 64": "packets/s", "UDP full": "packets/s",
}

func one(v float64, err error) ([]float64, error) { return []float64{v}, err }

// serving listens at the way's end, hands connections to serve, and runs drive in the
// namespace that the way begins in.
func serving(w way, serve func(net.Conn), drive func(dial func() (net.Conn, error)) error) error {
	var l net.Listener
	err := w.to.Do(func() (err error) {
		l, err = net.Listen("tcp4", net.JoinHostPort(w.addr.String(), "0"))
		return err
	})
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				serve(c)
			}()
		}
	}()
	return w.from.Do(func() error {
		return drive(func() (net.Conn, error) { return net.DialTimeout("tcp4", l.Addr().String(), 10*time.Second) })
	})
}

// streams sends by n connections for d and returns Gbit/s, and seconds of CPU for each
// Gbit that this process took, which sends and receives.
func streams(w way, n int, d time.Duration) ([]float64, error) {
	var out []float64
	sink := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	err := serving(w, sink, func(dial func() (net.Conn, error)) error {
		conns := make([]net.Conn, 0, n)
		defer func() {
			for _, c := range conns {
				_ = c.Close()
			}
		}()
		for range n {
			c, err := dial()
			if err != nil {
				return err
			}
			conns = append(conns, c)
		}
		var group sync.WaitGroup
		sent, errs := make([]int, n), make([]error, n)
		before, begin := spent(), time.Now()
		for i, c := range conns {
			group.Go(func() {
				for block := make([]byte, 1<<17); time.Since(begin) < d && errs[i] == nil; sent[i] += len(block) {
					_, errs[i] = c.Write(block)
				}
			})
		}
		group.Wait()
		took, total := time.Since(begin).Seconds(), 0
		for _, s := range sent {
			total += s
		}
		gbit := float64(total) * 8 / 1e9
		out = []float64{gbit / took, (spent() - before) / gbit}
		return errors.Join(errs...)
	})
	return out, err
}

// spent is the CPU time of this process in seconds.
func spent() float64 {
	var r unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &r) // it cannot fail
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}

// requests sends a byte and waits for the answer, again and again, and returns how many a
// second that are and the time that 99 of 100 took at most, in microseconds.
func requests(w way, d time.Duration) ([]float64, error) {
	var took []time.Duration
	begin, last := time.Time{}, time.Time{}
	answer := func(c net.Conn) {
		_, _ = io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{c}, make([]byte, 1))
	}
	err := serving(w, answer, func(dial func() (net.Conn, error)) error {
		c, err := dial()
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		begin = time.Now()
		last = begin
		for b := []byte{1}; last.Sub(begin) < d; {
			if _, err := c.Write(b); err != nil {
				return err
			}
			if _, err := io.ReadFull(c, b); err != nil {
				return err
			}
			now := time.Now()
			took, last = append(took, now.Sub(last)), now
		}
		return nil
	})
	if err != nil || len(took) == 0 {
		return nil, fmt.Errorf("%d answers: %w", len(took), err)
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	return []float64{float64(len(took)) / last.Sub(begin).Seconds(), float64(p99.Nanoseconds()) / 1000}, nil
}
