package fastpath

import (
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/netstate"
)

// BenchmarkDatapath compares what pods get by the kernel's path and by the fast
// path with what the hosts get on the same wire, in turns of a few tenths of a
// second, so that what else the machine does falls on all alike. It prints medians of the
// ratios and their extremes:
//
//	go test ./internal/kernel/fastpath -run - -bench Datapath -benchtime 1x
func BenchmarkDatapath(b *testing.B) {
	for _, pods := range []string{behindVeth, onBridge} {
		b.Run("", func(b *testing.B) {
			conns := newWorld(b, pods)
			for _, direct := range []bool{false, true} {
				if direct {
					for n := 1; n <= 2; n++ {
						routeDirectly(b, n)
					}
				}
				compare(b, conns, pods, direct)
			}
		})
	}
}

// compare measures all works on one path, and prints the ratios.
func compare(b *testing.B, conns map[int]*Conn, pods string, direct bool) {
	b.Helper()
	name := map[bool]string{false: "vxlan", true: "direct"}[direct]
	if pods == onBridge {
		name += " bridge"
	}
	for _, w := range works {
		ratios := map[string][]float64{}
		for range rounds {
			rates := map[string]float64{}
			rates["host"] = w.measure(b, "h1", "h2", "10.4.0.2")
			for _, path := range []string{"kernel", "fast"} {
				for n, c := range conns {
					want := &netstate.State{}
					if path == "fast" {
						want = fastHost(b, n, pods, direct)
					}
					c.reach(b, want)
				}
				rates[path] = w.measure(b, "p1", "p2", "10.5.2.7")
				ratios[path] = append(ratios[path], rates[path]/rates["host"])
			}
		}
		for _, path := range []string{"kernel", "fast"} {
			all := ratios[path]
			slices.Sort(all)
			fmt.Printf("%-13s %-12s %-7s %.2f of host to host (%.2f to %.2f)\n", name, w.name, path, all[len(all)/2], all[0], all[len(all)-1])
		}
	}
}

const (
	rounds = 9
	turn   = 300 * time.Millisecond
)

// work is a kind of traffic; rate is how much of it there is in a second.
type work struct {
	name  string
	serve func(l net.Listener)
	drive func(dial func() (net.Conn, error), until time.Time) (amount int, err error)
}

var works = []work{
	{"stream", sink, func(dial func() (net.Conn, error), until time.Time) (n int, err error) {
		c, err := dial()
		if err != nil {
			return 0, err
		}
		defer func() { _ = c.Close() }()
		for block := make([]byte, 1<<17); time.Now().Before(until); n += len(block) {
			if _, err := c.Write(block); err != nil {
				return n, err
			}
		}
		return n, nil
	}},
	{"RR", echo, func(dial func() (net.Conn, error), until time.Time) (n int, err error) {
		c, err := dial()
		if err != nil {
			return 0, err
		}
		defer func() { _ = c.Close() }()
		for one := []byte{1}; time.Now().Before(until); n++ {
			if _, err := c.Write(one); err != nil {
				return n, err
			}
			if _, err := io.ReadFull(c, one); err != nil {
				return n, err
			}
		}
		return n, nil
	}},
	{"connections", echo, func(dial func() (net.Conn, error), until time.Time) (n int, err error) {
		for one := []byte{1}; time.Now().Before(until); n++ {
			c, err := dial()
			if err != nil {
				return n, err
			}
			if _, err := c.Write(one); err != nil {
				return n, err
			}
			if _, err := io.ReadFull(c, one); err != nil {
				return n, err
			}
			_ = c.(*net.TCPConn).SetLinger(0) // ports would run out
			_ = c.Close()
		}
		return n, nil
	}},
}

func sink(l net.Listener) { each(l, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }) }
func echo(l net.Listener) {
	each(l, func(c net.Conn) {
		for one := make([]byte, 1); ; {
			if _, err := io.ReadFull(c, one); err != nil {
				return
			}
			if _, err := c.Write(one); err != nil {
				return
			}
		}
	})
}

func each(l net.Listener, f func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = c.Close() }()
			f(c)
		}()
	}
}

// measure returns the rate of a turn of the load.
func (w work) measure(b *testing.B, from, to, addr string) (rate float64) {
	b.Helper()
	var l net.Listener
	err := in(to)(func() (err error) {
		l, err = net.Listen("tcp4", net.JoinHostPort(addr, "0"))
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go w.serve(l)
	err = in(from)(func() error {
		begin := time.Now()
		n, err := w.drive(func() (net.Conn, error) { return net.DialTimeout("tcp4", l.Addr().String(), 10*time.Second) }, begin.Add(turn))
		rate = float64(n) / time.Since(begin).Seconds()
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return rate
}
