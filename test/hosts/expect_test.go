package hosts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/lab"
)

const pings = 3

// settle waits until b is in force and everything is as expected; what is not in time fails the test.
func (tr *trial) settle(b backend, family string) {
	tr.t.Helper()
	ctx := tr.t.Context()
	deadline := time.Now().Add(settleLimit)
	for {
		err := tr.wrongStatus(ctx, b)
		if err == nil {
			err = tr.wrongPaths(ctx, b, family)
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			tr.t.Fatalf("backend %s, network %s: not as expected within %s:\n%v%s", b, family, settleLimit, err, tr.shown())
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			tr.t.Fatal(ctx.Err())
		}
	}
}

// shown is every host's status, for a failure.
func (tr *trial) shown() string {
	var out strings.Builder
	for _, name := range members {
		text, _ := tr.host(name).Run(tr.t.Context(), "weft", "status", "-o", "wide") // fails unless ready
		fmt.Fprintf(&out, "\n%s: weft status -o wide\n%s", name, text)
	}
	return out.String()
}

// wrongStatus says what of the hosts' status is not as expected. Every problem must be expected, and every
// expected one must be there.
func (tr *trial) wrongStatus(ctx context.Context, b backend) error {
	var errs []error
	for _, name := range members {
		s, err := statusOf(ctx, tr.host(name))
		if err == nil {
			s.Problems = slices.DeleteFunc(s.Problems, func(p api.Problem) bool { return silent.MatchString(p.Message) && tr.mayBeSilent(name, b) })
			err = errors.Join(wrongBackend(s, b), wrongProblems(s, tr.problems(name, b)), tr.wrongUplink(name, s))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func statusOf(ctx context.Context, h *lab.Host) (s api.Status, err error) {
	out, runErr := h.Run(ctx, "weft", "status", "-o", "json") // fails unless ready
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		return s, errors.Join(runErr, err)
	}
	return s, nil
}

func wrongBackend(s api.Status, b backend) error {
	has := backend(s.Backend)
	if has == vxlan && s.Direct {
		has = direct
	}
	if has != b {
		return fmt.Errorf("the backend in force is %s", has)
	}
	return nil
}

// offLink is what status says of a peer behind a router under host-gw.
var offLink = regexp.MustCompile(`is not in a directly connected subnet`)

// silent is what status says of a peer that answered probes and does not any more.
var silent = regexp.MustCompile(`^does not answer any more;`)

// mayBeSilent tells whether pings of a host may stay without an answer: then it depends on what
// came first, the fault or an answer, whether status says more than why.
func (tr *trial) mayBeSilent(host string, b backend) bool {
	return slices.ContainsFunc(tr.c.of("path", b), func(e expectation) bool {
		return e.args[3] == pathNoAnswer && (matches(e.args[1], host) || matches(e.args[2], host))
	})
}

// problems are the patterns of what status says on a host.
func (tr *trial) problems(host string, b backend) []*regexp.Regexp {
	var out []*regexp.Regexp
	for _, e := range tr.c.of("problem", b) {
		if matches(e.args[0], host) {
			out = append(out, e.pattern)
		}
	}
	if b == hostGW {
		out = append(out, offLink)
	}
	return out
}

func wrongProblems(s api.Status, expected []*regexp.Regexp) error {
	var errs []error
	seen := map[*regexp.Regexp]bool{}
	shown := s.Problems
	if !s.Ready {
		shown = append(shown, api.Problem{Subject: "not ready", Message: s.NotReady})
	}
	for _, p := range shown {
		text, known := p.Subject+": "+p.Message, false
		for _, e := range expected {
			if e.MatchString(text) {
				seen[e], known = true, true
			}
		}
		if !known {
			errs = append(errs, fmt.Errorf("a problem that is not expected: %s", text))
		}
	}
	for _, e := range expected {
		if !seen[e] {
			errs = append(errs, fmt.Errorf("status does not report %s", e))
		}
	}
	return errors.Join(errs...)
}

func (tr *trial) wrongUplink(host string, s api.Status) error {
	has := fmt.Sprintf("%s %v", s.Uplink.Name, s.Uplink.Addrs)
	for _, e := range tr.c.of("uplink", "") {
		if matches(e.args[0], host) && !e.pattern.MatchString(has) {
			return fmt.Errorf("the uplink is %s, want %s", has, e.pattern)
		}
	}
	return nil
}

// wrongPaths pings from every pod to every other, all at the same time.
func (tr *trial) wrongPaths(ctx context.Context, b backend, family string) error {
	var group sync.WaitGroup
	errs := make(chan error, 2*len(members)*len(members))
	for _, is6 := range addrsOf(family) {
		for _, from := range members {
			for _, to := range members {
				if from == to {
					continue
				}
				group.Go(func() {
					if err := tr.wrongPath(ctx, b, is6, from, to); err != nil {
						errs <- fmt.Errorf("%s from %s to %s: %w", familyName(is6), from, to, err)
					}
				})
			}
		}
	}
	group.Wait()
	close(errs)
	return errors.Join(slices.Collect(func(yield func(error) bool) {
		for err := range errs {
			if !yield(err) {
				return
			}
		}
	})...)
}

func (tr *trial) wrongPath(ctx context.Context, b backend, is6 bool, from, to string) error {
	want := tr.path(b, is6, from, to)
	trip, err := lab.Travel(ctx, tr.pods[from], tr.pods[to], is6, pings)
	switch {
	case err != nil:
		return err
	case want == pathNoAnswer && trip.Received > 0:
		return fmt.Errorf("%d of %d pings were answered", trip.Received, trip.Sent)
	case want == pathNoAnswer:
		return nil
	case trip.Err() != nil:
		return trip.Err()
	case want != pathAny && trip.Path() != want:
		return fmt.Errorf("the pings travelled %s (%d direct, %d vxlan), want %s", trip.Path(), trip.Direct, trip.VXLAN, want)
	}
	return nil
}

// Paths besides the lab's.
const (
	pathNoAnswer = "no-answer"
	pathAny      = "any" // answered, however they travel
)

// path is how pings between two hosts are to travel: as the configuration says, else as the backend and the
// segments say.
func (tr *trial) path(b backend, is6 bool, from, to string) string {
	for _, e := range tr.c.of("path", b) {
		if concerns(e, is6, from, to) {
			return e.args[3]
		}
	}
	near := onSegment(tr.host(from), tr.host(to))
	switch {
	case b == hostGW && !near:
		return pathNoAnswer // and offLink says why
	case b != vxlan && near:
		return lab.PathDirect
	}
	return lab.PathVXLAN
}

// concerns tells whether an expectation FAMILY HOST HOST is about that family and pair.
func concerns(e expectation, is6 bool, from, to string) bool {
	family := e.args[0] == "dual" || e.args[0] == familyName(is6)
	a, b := e.args[1], e.args[2]
	return family && (matches(a, from) && matches(b, to) || matches(a, to) && matches(b, from))
}

// matches tells whether a word of an expectation, a host's name or "all", is that host.
func matches(word, host string) bool { return word == "all" || word == host }
