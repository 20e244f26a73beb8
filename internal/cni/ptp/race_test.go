package ptp_test

import (
	"testing"

	"golang.org/x/sync/errgroup"
)

// TestDelMeetsAdd has an ADD and a DEL of a container run at the same time, as
// when a runtime is restarted in the middle of an ADD that goes on without it:
// either comes first, and no device is without a record.
func TestDelMeetsAdd(t *testing.T) {
	h := newHost(t, subnet4, subnet6)
	c := newContainer(t, "one")
	var left int
	for range 30 {
		var group errgroup.Group
		for _, what := range []string{"ADD", "DEL"} {
			group.Go(func() error { _, err := h.call(what, c.id, c.path(), h.config()); return err })
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		devices, records := links(t), h.records(t)
		if len(devices) != len(records) {
			t.Fatalf("there are %v and %v", devices, records)
		}
		left += len(devices)
		h.del(t, c.id)
	}
	t.Logf("the ADD came last %d times of 30", left)
}
