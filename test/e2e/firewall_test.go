package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weft-net/weft/internal/lab"
)

const (
	firewallPort = 9999 // of datagrams whose sender is of interest
	// largeDatagram takes several packets: only the first has the headers that rules look at.
	largeDatagram = 4000
	// listenLimit is how long a datagram may take; they are sent over again.
	listenLimit = 300 * time.Millisecond
)

// place is a host or a pod with its addresses.
type place struct {
	*lab.Node
	addrs []netip.Prefix
}

func (w *world) place(ts *testscript.TestScript, name string) place {
	if p, ok := w.pods[name]; ok {
		return place{p.Node, p.Addrs}
	}
	h := w.host(ts, name)
	return place{h.Node, h.Addrs}
}

func (p place) addr(ts *testscript.TestScript, is6 bool) netip.Addr {
	for _, a := range p.addrs {
		if a.Addr().Is6() == is6 {
			return a.Addr()
		}
	}
	ts.Fatalf("%s has no address of that family", p.Name)
	return netip.Addr{}
}

// seen-as FROM TO FAMILY ADDR: until TO, a host or pod, sees datagrams of FROM come from ADDR, which
// may be a prefix.
func cmdSeenAs(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 4, 4, "seen-as FROM TO ipv4|ipv6 ADDR")
	w := worldOf(ts)
	expected := prefixOf(ts, args[3])
	from, to := w.place(ts, args[0]), w.place(ts, args[1])
	addr := to.addr(ts, families(ts, args[2])[0])
	ts.Check(w.within(settleLimit, func() error {
		source, err := sender(w.ctx, from, to, addr)
		if err == nil && !expected.Contains(source) {
			err = fmt.Errorf("%s sees %s as %s, not as %s", to.Name, from.Name, source, expected)
		}
		return err
	}))
}

// prefixOf reads an address or a prefix.
func prefixOf(ts *testscript.TestScript, text string) netip.Prefix {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p
	}
	addr, err := netip.ParseAddr(text)
	ts.Check(err)
	return netip.PrefixFrom(addr, addr.BitLen())
}

// unheard FROM TO FAMILY: no datagram of FROM reaches TO.
func cmdUnheard(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 3, 3, "unheard FROM TO ipv4|ipv6")
	w := worldOf(ts)
	from, to := w.place(ts, args[0]), w.place(ts, args[1])
	addr := to.addr(ts, families(ts, args[2])[0])
	source, err := sender(w.ctx, from, to, addr)
	if err == nil {
		ts.Fatalf("%s hears %s, as %s", to.Name, from.Name, source)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		ts.Check(err)
	}
}

// sender sends datagrams to addr, which is to's, and returns where the first comes from.
func sender(ctx context.Context, from, to place, addr netip.Addr) (netip.Addr, error) {
	var in, out net.Conn
	err := to.Do(func() (err error) {
		in, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, firewallPort)))
		return err
	})
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%s: listen: %w", to.Name, err)
	}
	defer func() { _ = in.Close() }()
	err = from.Do(func() (err error) {
		out, err = (&net.Dialer{}).DialContext(ctx, "udp", netip.AddrPortFrom(addr, firewallPort).String())
		return err
	})
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%s: dial: %w", from.Name, err)
	}
	defer func() { _ = out.Close() }()
	if err := in.SetReadDeadline(time.Now().Add(listenLimit)); err != nil {
		return netip.Addr{}, err
	}
	for _, size := range []int{16, 16, largeDatagram} {
		if _, err := out.Write(make([]byte, size)); err != nil && !refusedByPeer(err) {
			return netip.Addr{}, fmt.Errorf("%s: send: %w", from.Name, err)
		}
	}
	listener, ok := in.(*net.UDPConn)
	if !ok {
		return netip.Addr{}, fmt.Errorf("%s: not a UDP socket", to.Name)
	}
	_, source, err := listener.ReadFromUDPAddrPort(make([]byte, 64))
	return source.Addr().Unmap(), err
}

// refusedByPeer reports whether err is the answer to an earlier datagram.
func refusedByPeer(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "write"
}

var etherAddr = regexp.MustCompile(`link/ether ([0-9a-f:]{17})`)

// stranger HOST VICTIM POD FAMILY: HOST, which is no member of the network, sends what it has for
// POD to VICTIM as a member would.
func cmdStranger(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 4, 4, "stranger HOST VICTIM POD ipv4|ipv6")
	w := worldOf(ts)
	is6 := families(ts, args[3])[0]
	device, source, host := "flannel.1", "198.51.100.1/32", "/32"
	if is6 {
		device, source, host = "flannel-v6.1", "2001:db8::1/128", "/128"
	}
	out, err := w.host(ts, args[1]).Run(w.ctx, "ip", "link", "show", device)
	ts.Check(err)
	mac := etherAddr.FindStringSubmatch(out)
	if mac == nil {
		ts.Fatalf("%s has no address: %s", device, out)
	}
	pod := w.place(ts, args[2]).addr(ts, is6).String()
	victim, self := w.place(ts, args[1]).addr(ts, is6).String(), w.place(ts, args[0]).addr(ts, is6).String()
	for _, command := range [][]string{
		{"ip", "link", "add", "forged", "type", "vxlan", "id", "1", "local", self, "remote", victim, "dstport", "8472"},
		{"ip", "addr", "add", source, "dev", "forged"},
		{"ip", "link", "set", "forged", "mtu", "8000", "up"},
		{"ip", "route", "add", pod + host, "dev", "forged"},
		{"ip", "neigh", "add", pod, "lladdr", mac[1], "dev", "forged"},
	} {
		_, err := w.host(ts, args[0]).Run(w.ctx, command...)
		ts.Check(err)
	}
}
