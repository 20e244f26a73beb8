package ptp_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/cni/ipam"
)

// kill starts a call and kills it after a while, unless it has ended.
func (h *host) kill(t *testing.T, after time.Duration, what string, c *container) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	cmd := h.command(what, c.id, c.path(), h.config())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() }) // that it has ended is no matter
	defer stop()
	_ = cmd.Wait() // killed or not, and both are tried
}

// TestKilled kills calls at ever later points, until one gets through, and
// then does what a runtime does.
func TestKilled(t *testing.T) {
	h := newHost(t, subnet4, subnet6)
	const steps = 40
	step := h.took(t) * 3 / 2 / steps
	var adds, halves int
	for i := 0; i < steps || adds == 0; i++ {
		after := time.Duration(i) * step
		c := newContainer(t, fmt.Sprintf("c%d", i))
		h.kill(t, after, "ADD", c)
		records, devices := len(h.records(t)), len(links(t))
		switch {
		case devices > records:
			t.Fatalf("killed after %v: a container has addresses that are not on record", after)
		case devices < records:
			halves++
		}
		adds += devices
		if i%2 == 0 && devices == 0 {
			h.add(t, c) // without a DEL first
		}
		h.kill(t, after, "DEL", c)
		if len(links(t)) > len(h.records(t)) {
			t.Fatalf("killed after %v: a container has addresses that were given back", after)
		}
		h.del(t, c.id)
		if len(h.records(t)) > 0 || len(links(t)) > 0 {
			t.Fatalf("killed after %v: left are %v and %v", after, h.records(t), links(t))
		}
	}
	t.Logf("%d ADDs got as far as the device, %d stopped between record and device", adds, halves)
}

// TestLeftover has an ADD find what one left that was killed half-way.
func TestLeftover(t *testing.T) {
	h := newHost(t, subnet4)
	h.record(t, "one", "10.9.0.0/24")
	if got := addrsOf(h.add(t, newContainer(t, "one"))); fmt.Sprint(got) != "[10.5.1.2]" {
		t.Errorf("got %v, not an address of this host's subnet", got)
	}
}

// took is how long an ADD takes here.
func (h *host) took(t *testing.T) time.Duration {
	t.Helper()
	c := newContainer(t, "first")
	start := time.Now()
	h.add(t, c)
	took := time.Since(start)
	h.del(t, c.id)
	return took
}

// record puts a container on record without a link.
func (h *host) record(t *testing.T, id, subnet string) {
	t.Helper()
	store, err := ipam.Open(t.Context(), h.Data)
	if err != nil {
		t.Fatal(err)
	}
	o := ipam.Owner{ContainerID: id, IfName: "eth0"}
	if _, err := store.Allocate(t.Context(), o, "pods", []netip.Prefix{netip.MustParsePrefix(subnet)}); err != nil {
		t.Fatal(err)
	}
}
