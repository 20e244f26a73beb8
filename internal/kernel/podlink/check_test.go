package podlink

import (
	"errors"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
)

func TestCheckSeesWhatIsWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		inPod bool
		do    func() error
		says  string
	}{
		"host's end down": {false, down("weftpod1"), "weftpod1 is down"},
		"no way to it":    {false, flush("weftpod1"), "no route to 10.5.1.1/32 on weftpod1"},
		"no way out":      {true, flush("eth0"), "no route to 0.0.0.0/0 on eth0"},
		"no address":      {true, unaddress("eth0"), "does not have the address 10.5.1.1"},
		"another MTU": {false, func() error {
			return change("weftpod1", func(l netlink.Link) error { return netlink.LinkSetMTU(l, 1300) })
		}, "has MTU 1300, not 1400"},
		"no device at all": {true, func() error { return change("eth0", netlink.LinkDel) }, "eth0: no such device"},
	} {
		t.Run(name, func(t *testing.T) {
			ns := pod(t, "one")
			l := numbered(1)
			attach(t, l, ns)
			in := func(f func() error) error { return f() }
			if tc.inPod {
				in = ns.Do
			}
			if err := in(tc.do); err != nil {
				t.Fatal(err)
			}
			if err := l.Check(ns.FD()); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
		})
	}
}

func change(dev string, f func(netlink.Link) error) error {
	l, err := netlink.LinkByName(dev)
	if err != nil {
		return err
	}
	return f(l)
}

func down(dev string) func() error {
	return func() error { return change(dev, netlink.LinkSetDown) }
}

func flush(dev string) func() error {
	return func() error {
		return change(dev, func(l netlink.Link) error {
			list, err := netlink.RouteList(l, netlink.FAMILY_V4)
			for _, r := range list {
				err = errors.Join(err, netlink.RouteDel(&r))
			}
			return err
		})
	}
}

func unaddress(dev string) func() error {
	return func() error {
		return change(dev, func(l netlink.Link) error {
			list, err := netlink.AddrList(l, netlink.FAMILY_V4)
			for _, a := range list {
				err = errors.Join(err, netlink.AddrDel(l, &a))
			}
			return err
		})
	}
}
