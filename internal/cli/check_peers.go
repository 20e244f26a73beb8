package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/check"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/peerapi"
)

// How the question to another host ended.
const (
	hostPassed   = "passed"
	hostFailed   = "failed"
	hostUnknown  = "unknown"  // it did not answer
	hostNotAsked = "notAsked" // there is no address to ask
)

// hostCheck is what another host's agent has found there.
type hostCheck struct {
	Name    string         `json:"name,omitempty"`
	Subnets []netip.Prefix `json:"subnets"`
	Address netip.Addr     `json:"address,omitzero"` // that was asked
	State   string         `json:"state"`
	Reason  string         `json:"reason,omitempty"`  // why nothing is known
	Version string         `json:"version,omitempty"` // of its agent
	Results []check.Result `json:"results,omitempty"`
}

// maxAsked is how many hosts are asked at a time.
const maxAsked = 32

// askPeers asks the agents of all other hosts for their checks.
func askPeers(ctx context.Context, errOut io.Writer, s *api.Status) ([]hostCheck, error) {
	own, err := netip.ParseAddrPort(s.Answers)
	if err != nil {
		return nil, errors.New("agents do not answer each other: the network's config has no PeerPort, or this host no address in the overlay")
	}
	out := make([]hostCheck, len(s.Peers))
	var answered atomic.Int32
	progress := func() string {
		return fmt.Sprintf("still asking other hosts; %d of %d are done", answered.Load(), len(out))
	}
	err = waitingOn(errOut, progress, func() error {
		var group errgroup.Group
		group.SetLimit(maxAsked)
		for i := range s.Peers {
			group.Go(func() error {
				out[i] = askPeer(ctx, peerapi.NewClient(own), &s.Peers[i])
				answered.Add(1)
				return nil
			})
		}
		return group.Wait()
	})
	return out, err
}

func askPeer(ctx context.Context, client peerapi.Client, p *api.Peer) hostCheck {
	out := hostCheck{Name: p.Name, Subnets: p.Subnets, Version: p.Version}
	if p.Backend == "host-gw" || len(p.Subnets) == 0 {
		out.State, out.Reason = hostNotAsked, "a host of the backend host-gw has no address in the overlay"
		return out
	}
	out.Address = p.Subnets[0].Addr()
	answer, err := client.Check(ctx, out.Address)
	if err != nil {
		out.State, out.Reason = hostUnknown, "no answer, as from flanneld: "+err.Error()
		return out
	}
	out.Name, out.Version = cmp.Or(out.Name, answer.Hostname), answer.Version
	out.State, out.Results = hostPassed, answer.Results
	if check.Fails(answer.Results) {
		out.State = hostFailed
	}
	return out
}

// failedHosts counts the hosts on which a check failed.
func failedHosts(hosts []hostCheck) (n int) {
	for _, h := range hosts {
		if h.State == hostFailed {
			n++
		}
	}
	return n
}

// showHosts prints what the other hosts have answered: of checks that passed only
// how many.
func showHosts(w io.Writer, hosts []hostCheck) error {
	if len(hosts) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nother hosts")
	verdicts := map[string]verdict{hostPassed: good, hostFailed: bad}
	t, count := newTable(w, columnGap), map[string]int{}
	for _, h := range hosts {
		count[h.State]++
		v, known := verdicts[h.State]
		if !known {
			v = neutral
		}
		first := cell{h.State, v.style}
		if marked(w) {
			first = cell{v.mark, v.style}
		}
		name := cmp.Or(oneLine(h.Name), lease.FormatSubnets(h.Subnets))
		t.cells(first, cell{name, plain}, cell{hostText(h), plain})
		for _, r := range h.Results {
			if r.State != check.Failed && r.State != check.Warning {
				continue
			}
			t.cells(cell{}, cell{}, cell{fmt.Sprintf("%s: %s: %s", oneLine(string(r.State)), oneLine(r.Name), oneLine(r.Text)), plain})
			if r.Remedy != "" {
				t.cells(cell{}, cell{}, cell{"remedy: " + oneLine(r.Remedy), plain})
			}
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nhosts: %d passed, %d failed, %d unknown\n", count[hostPassed], count[hostFailed], count[hostUnknown]+count[hostNotAsked])
	return err
}

func hostText(h hostCheck) string {
	if h.Reason != "" {
		return oneLine(h.Reason)
	}
	return fmt.Sprintf("%d checks by %s", len(h.Results), oneLine(h.Version))
}
