package ptp_test

import (
	"encoding/json"
	"testing"

	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// on calls the plugin for an interface of c.
func (h *host) on(t *testing.T, what string, c *container, ifName string, keys ...any) *current.Result {
	t.Helper()
	cmd := h.command(what, c.id, c.path(), h.config(keys...))
	cmd.Env = append(cmd.Env, "CNI_IFNAME="+ifName)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s of %s: %v, %s", what, ifName, err, out)
	}
	var res current.Result
	if what == "ADD" {
		if err := json.Unmarshal(out, &res); err != nil {
			t.Fatal(err)
		}
	}
	return &res
}

// TestSecondInterface: a container is reached by each of its interfaces, comes
// and goes by the first, and the second can be taken from it and given again.
func TestSecondInterface(t *testing.T) {
	h := newHost(t, subnet4, subnet6)
	one, two := newContainer(t, "one"), newContainer(t, "two")
	first, other := h.add(t, one), addrsOf(h.add(t, two))
	for range 2 {
		second := h.on(t, "ADD", one, "net1")
		if len(first.Routes) != 2 || len(second.Routes) != 0 {
			t.Errorf("the default routes are said to be %v and %v", first.Routes, second.Routes)
		}
		for i, a := range addrsOf(first) {
			if seen := talk(t, one, two, other[i]); seen != a {
				t.Errorf("%s was seen as %s", a, seen)
			}
			talk(t, two, one, a)
			talk(t, two, one, addrsOf(second)[i])
		}
		h.on(t, "CHECK", one, "net1", "prevResult", second)
		h.on(t, "CHECK", one, "eth0", "prevResult", first)
		h.on(t, "DEL", one, "net1")
		if left := one.rules(t); left != 0 {
			t.Errorf("%d routing rules of the second interface are left", left)
		}
	}
}

// rules returns the number of routing rules in the container beside those that
// every namespace has.
func (c *container) rules(t *testing.T) int {
	t.Helper()
	var list []netlink.Rule
	if err := c.Do(func() (err error) {
		list, err = netlink.RuleList(netlink.FAMILY_ALL)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	own := 0
	for _, r := range list {
		if r.Table != unix.RT_TABLE_LOCAL && r.Table != unix.RT_TABLE_MAIN && r.Table != unix.RT_TABLE_DEFAULT {
			own++
		}
	}
	return own
}
