package flannel_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// TestUnderContainerd: what a real container runtime does with the plugin.
func TestUnderContainerd(t *testing.T) {
	h := newHost(t)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	c, err := h.StartContainerd(ctx, older(h.Conflist("flannel")))
	check(t, err)
	for _, name := range []string{"a", "b"} {
		check(t, c.RunContainer(ctx, name))
	}
	addrs, err := c.Addrs(ctx, "a")
	check(t, err)
	if len(addrs) != 2 {
		t.Fatalf("the container has the addresses %s, want one a family", addrs)
	}
	for _, addr := range addrs {
		if _, err := c.Exec(ctx, "b", "ping", "-A", "-c", "3", addr.String()); err != nil {
			t.Error(err)
		}
		out, err := c.RunOnce(ctx, "c", "ping", "-A", "-c", "3", addr.String())
		if err != nil || !strings.Contains(out, " 0% packet loss") {
			t.Errorf("a container that is gone: %v\n%s", err, out)
		}
	}
	if names := files(t, records(h)); len(names) != 2 || len(leases(t, h)) != 4 {
		t.Errorf("for two containers there are the records %s and addresses %s", names, leases(t, h))
	}
}

// older is a list of the version of the spec that every containerd knows.
func older(conflist []byte) []byte {
	return bytes.Replace(conflist, []byte("1.1.0"), []byte("1.0.0"), 1)
}
