package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/lab"
)

// strangers makes what is none of weft's business, on a host that has no agent yet: a vxlan device with an
// entry, a firewall table, routes of others into and beside the network, also with weft's own mark.
const strangers = `
ip link add theirs type bridge
ip addr add 192.0.2.1/24 dev theirs
ip link set theirs up
ip link add vx99 type vxlan id 99 dstport 9999 local 192.0.2.1 dev theirs
ip addr add 198.51.100.1/32 dev vx99
ip link set vx99 up
bridge fdb append 02:00:00:00:00:aa dev vx99 dst 192.0.2.9
ip route add 172.7.250.0/24 via 192.0.2.7 proto static
ip route add 172.9.0.0/24 via 192.0.2.7 proto 119
ip route add 172.7.251.0/24 via 192.0.2.7 table 77
ip -6 route add fd17:7:0:fff0::/64 dev theirs proto static
`

// canaries are questions whose answers must be the same in the end.
var canaries = []string{
	"ip -o addr show dev theirs; ip route show dev theirs; ip -6 route show dev theirs proto static; ip route show table 77",
	"ip -d link show vx99 | sed 's/gc_.*//'; ip -o addr show dev vx99 scope global; bridge fdb show dev vx99",
}

// whole waits until everything holds that must hold when nothing is broken.
func (w *world) whole(when string) {
	w.t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(w.ctx, *settle)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for last := error(nil); ; {
		err := w.violations()
		if err == nil {
			w.say("%s: whole after %s; what came last: %v", when, time.Since(start).Round(time.Millisecond), last)
			return
		}
		last = err
		select {
		case <-ctx.Done():
			w.t.Fatalf("%s, not whole within %s:\n%v", when, *settle, err)
		case <-ticker.C:
		}
	}
}

// violations returns all that does not hold.
func (w *world) violations() error {
	errs := make([]error, len(w.members)+1)
	var group sync.WaitGroup
	group.Go(func() { errs[len(w.members)] = w.leasesUnique() })
	for i, m := range w.members {
		group.Go(func() { errs[i] = errors.Join(w.asPlanned(m), w.untouched(m), w.reaches(m)) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// regularKey is of leases as the first config gives them out; others are strays, or drain.
var regularKey = regexp.MustCompile(`^172\.7\.[1-9][0-9]\.0-24&`)

// leasesUnique demands one lease a member, of the subnet it has had all along.
func (w *world) leasesUnique() error {
	keys, err := w.leaseKeys()
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range w.members {
		key, err := m.expectedKey()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if got := w.subnetOf(m.Host); got != m.subnet {
			errs = append(errs, fmt.Errorf("%s had %s and now has %s", m.Name, m.subnet, got))
		}
		if !slices.Contains(keys, key) {
			errs = append(errs, fmt.Errorf("%s: the store has no lease %s, only %v", m.Name, key, keys))
		}
	}
	regular := 0
	for _, key := range keys {
		if regularKey.MatchString(key) {
			regular++
		}
	}
	if regular > len(w.members) {
		errs = append(errs, fmt.Errorf("there are more leases than hosts: %v", keys))
	}
	return errors.Join(errs...)
}

// asPlanned demands that the kernel equals the plan, and that the agent finds nothing wrong but the strays.
func (w *world) asPlanned(m *member) error {
	_, err := m.run("weft", "plan", "--diff")
	return errors.Join(err, m.healthy())
}

// healthy demands that the agent is ready, and that each of its problems is about a stray.
func (m *member) healthy() error {
	out, err := m.run("weft", "status", "-o", "json")
	var status api.Status
	if jsonErr := json.Unmarshal([]byte(out), &status); jsonErr != nil {
		return fmt.Errorf("%s: %w: %w", m.Name, jsonErr, err)
	}
	var errs []error
	if status.State == api.StateNotReady {
		errs = append(errs, fmt.Errorf("%s is not ready: %s", m.Name, status.NotReady))
	}
	for _, p := range status.Problems {
		if p.Severity != api.SeverityNote && !isStray(p.Subject) {
			errs = append(errs, fmt.Errorf("%s: %s: %s", m.Name, p.Subject, p.Message))
		}
	}
	return errors.Join(errs...)
}

// untouched demands that strangers' things are as they were.
func (w *world) untouched(m *member) error {
	var errs []error
	for _, question := range canaries {
		got, err := m.run("sh", "-c", question)
		if was := w.canary[m.Name+question]; err == nil && got != was {
			err = fmt.Errorf("%s: %s\nwas:\n%s\nis:\n%s", m.Name, question, was, got)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// reaches demands that the member's pod reaches every other's, directly on its own segment.
func (w *world) reaches(m *member) error {
	var errs []error
	for _, to := range w.members {
		for _, is6 := range []bool{false, true} {
			if to == m {
				continue
			}
			trip, err := lab.Travel(w.ctx, m.pod, to.pod, is6, 2)
			if err == nil {
				err = trip.Err()
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s to %s (IPv6: %t): %w", m.pod, to.pod, is6, err))
			}
		}
	}
	return errors.Join(errs...)
}

// run bounds one question to the host.
func (m *member) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return m.Run(ctx, args...)
}
