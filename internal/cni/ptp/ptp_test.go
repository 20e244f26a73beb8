package ptp_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/vishvananda/netlink"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/cni"
)

const (
	subnet4 = "10.5.1.0/24"
	subnet6 = "fd05:0:0:1::/64"
)

func TestContainersReachEachOther(t *testing.T) {
	for name, subnets := range map[string][]string{"v4": {subnet4}, "v6": {subnet6}, "dual": {subnet4, subnet6}} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, subnets...)
			one, two := newContainer(t, "one"), newContainer(t, "two")
			a, b := addrsOf(h.add(t, one)), addrsOf(h.add(t, two))
			if len(a) != len(subnets) {
				t.Fatalf("%v out of %v", a, subnets)
			}
			for i := range a {
				if seen := talk(t, one, two, b[i]); seen != a[i] {
					t.Errorf("%s was seen as %s", a[i], seen)
				}
			}
		})
	}
}

// TestHostAndContainer has the two call each other. The host's end of a link
// has no address, so that the host calls from the one that it has.
func TestHostAndContainer(t *testing.T) {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(t, subnet4, subnet6)
	one := newContainer(t, "one")
	res := addrsOf(h.add(t, one))
	for i, text := range []string{"192.0.2.1", "fd99::1"} {
		hostAddr := netip.MustParseAddr(text)
		addr := &netlink.Addr{
			IPNet: &net.IPNet{IP: hostAddr.AsSlice(), Mask: net.CIDRMask(hostAddr.BitLen(), hostAddr.BitLen())},
			Flags: unix.IFA_F_NODAD,
		}
		if err := netlink.AddrAdd(lo, addr); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = netlink.AddrDel(lo, addr) })
		if seen := talk(t, nil, one, res[i]); seen != hostAddr {
			t.Errorf("the container sees the host as %s, not %s", seen, hostAddr)
		}
		if seen := talk(t, one, nil, hostAddr); seen != res[i] {
			t.Errorf("the host sees %s as %s", res[i], seen)
		}
	}
}

func TestAddTellsTheRuntime(t *testing.T) {
	h := newHost(t, subnet4, subnet6)
	one := newContainer(t, "one")
	out, err := h.call("ADD", "one", one.path(), h.config("dns", map[string]any{"nameservers": []string{"10.96.0.10"}}))
	if err != nil {
		t.Fatal(err)
	}
	defer h.del(t, "one")
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for _, i := range got["interfaces"].([]any) {
		delete(i.(map[string]any), "mac")
	}
	want := map[string]any{}
	text := fmt.Sprintf(`{"cniVersion": "1.1.0",
		"interfaces": [{"name": %q, "mtu": 1450}, {"name": "eth0", "mtu": 1450, "sandbox": %q}],
		"ips": [{"interface": 1, "address": "10.5.1.2/32", "gateway": "169.254.1.1"},
			{"interface": 1, "address": "fd05:0:0:1::2/128", "gateway": "fe80::1"}],
		"routes": [{"dst": "0.0.0.0/0", "gw": "169.254.1.1"}, {"dst": "::/0", "gw": "fe80::1"}],
		"dns": {"nameservers": ["10.96.0.10"]}}`, links(t)[0], one.path())
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) { // fmt sorts maps
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestAnAttachmentIsMadeOnce(t *testing.T) {
	h := newHost(t, subnet4)
	one := newContainer(t, "one")
	h.add(t, one)
	if _, err := h.call("ADD", "one", one.path(), h.config()); code(err) != cni.ErrAttached {
		t.Errorf("a second ADD: %v", err)
	}
	if got := h.records(t); len(got) != 1 || len(links(t)) != 1 {
		t.Errorf("there are %v and %v", got, links(t))
	}
}

func code(err error) uint {
	if known, ok := errors.AsType[*types.Error](err); ok {
		return known.Code
	}
	return 0
}

// TestDelNeedsNothing removes what is there, whatever else is missing.
func TestDelNeedsNothing(t *testing.T) {
	h := newHost(t, subnet4)
	h.del(t, "never-there")
	one := newContainer(t, "one")
	h.add(t, one)
	if err := os.Remove(h.Subnet); err != nil {
		t.Fatal(err)
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	h.del(t, "one")
	h.del(t, "one")
	if len(links(t)) > 0 || len(h.records(t)) > 0 {
		t.Errorf("%v and %v are left", links(t), h.records(t))
	}
	two := newContainer(t, "two")
	h.lease(t, subnet4)
	h.add(t, two)
	if err := os.RemoveAll(h.Data); err != nil {
		t.Fatal(err)
	}
	h.del(t, "two")
	if len(links(t)) > 0 {
		t.Errorf("%v is left", links(t))
	}
}

// TestAnotherSubnet changes the host's lease: new containers are of it, and
// those of the old one can be removed.
func TestAnotherSubnet(t *testing.T) {
	h := newHost(t, subnet4)
	one, two := newContainer(t, "one"), newContainer(t, "two")
	h.add(t, one)
	h.lease(t, "10.5.9.0/24")
	a := addrsOf(h.add(t, two))
	if want := netip.MustParseAddr("10.5.9.2"); a[0] != want {
		t.Errorf("got %s, want %s", a[0], want)
	}
	h.del(t, "one")
	if got := h.records(t); !slices.Equal(got, []string{"two:eth0"}) || len(links(t)) != 1 {
		t.Errorf("there are %v and %v", got, links(t))
	}
}

// TestManyAtOnce attaches and detaches fifty containers at the same time.
func TestManyAtOnce(t *testing.T) {
	const n = 50
	h := newHost(t, subnet4, subnet6)
	containers := make([]*container, n)
	for i := range containers {
		containers[i] = newContainer(t, fmt.Sprintf("c%d", i))
	}
	all := func(f func(c *container) error) {
		t.Helper()
		var group errgroup.Group
		for _, c := range containers {
			group.Go(func() error { return f(c) })
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	all(func(c *container) error {
		_, err := h.call("ADD", c.id, c.path(), h.config())
		return err
	})
	if len(h.records(t)) != n || len(links(t)) != n {
		t.Errorf("%d are on record and %d devices are there", len(h.records(t)), len(links(t)))
	}
	seen := map[string]bool{}
	for _, name := range h.records(t) {
		target, err := filepath.Glob(filepath.Join(h.Data, "*-*", name))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.Readlink(target[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range strings.Fields(text)[1:] {
			if seen[word] {
				t.Errorf("%s was given out twice", word)
			}
			seen[word] = true
		}
	}
	if len(seen) != 2*n {
		t.Errorf("%d addresses were given out", len(seen))
	}
	all(func(c *container) error {
		_, err := h.call("DEL", c.id, c.path(), h.config())
		return err
	})
	if len(h.records(t)) > 0 || len(links(t)) > 0 {
		t.Errorf("%v and %v are left", h.records(t), links(t))
	}
}
