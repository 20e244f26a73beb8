package lease

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// ErrExhausted says that every subnet of the network is leased, reserved or
// to be avoided. It may pass: a lease may run out.
var ErrExhausted = errors.New("no free subnet is left in the network")

// AddressTakenError refuses a claim because another host already announces
// its public address.
type AddressTakenError struct {
	Addr     netip.Addr
	Holder   Owner          // as recorded beside the lease
	Held     []netip.Prefix // the holder's subnets
	Claimant Owner
}

// Error names the address, both hosts and the way out.
func (e *AddressTakenError) Error() string {
	return fmt.Sprintf("public address %s of %s is already announced by %s for subnet %s; give this host another one with --public-ip, or free it with 'weft lease release %s'",
		e.Addr, e.Claimant.Name(), e.Holder.Name(), FormatSubnets(e.Held), Key(e.Held))
}

// CloneError refuses a claim because an agent with the claimant's identity runs
// on another machine: one of them is a copy of the other.
type CloneError struct {
	Holder   Owner // as recorded beside the lease
	Held     Lease
	Claimant Owner
	Public   []netip.Addr // the claimant's
}

// Error names both hosts and the way out.
func (e *CloneError) Error() string {
	how := "one is a copy of the other"
	if e.Holder.Product != "" && e.Claimant.Product != "" && e.Holder.Product != e.Claimant.Product {
		how += " (their product UUIDs differ)"
	}
	return fmt.Sprintf("subnet %s is held by %s at %s, whose agent runs and has the same identity as this host, %s at %s: %s; on the copy, remove the state directory (--state-dir) and restart the agent",
		FormatSubnets(e.Held.Subnets), e.Holder.Name(), FormatAddrs(e.Held.Public), e.Claimant.Name(), FormatAddrs(e.Public), how)
}

// FormatAddrs is the text form of addresses for people: "10.4.7.21, fd00::21".
func FormatAddrs(addrs []netip.Addr) string {
	if len(addrs) == 0 {
		return "no address"
	}
	parts := make([]string, 0, len(addrs))
	for _, a := range addrs {
		parts = append(parts, a.String())
	}
	return strings.Join(parts, ", ")
}

// ContestedError says that a lease which may be the claimant's is recorded for
// an agent that may run. The store asks that agent. If it answers, the claim
// fails with Refusal; if it is silent for Patience, the store adds its record
// to Claim.Ended and chooses again.
type ContestedError struct {
	Holder Owner // as recorded beside the lease
	Held   Lease
	Addr   netip.Addr // that both announce; zero if they share none
	Claim  Claim
}

// Error is for a store that cannot ask.
func (e *ContestedError) Error() string {
	return fmt.Sprintf("subnet %s may be held by a running agent on %s", FormatSubnets(e.Held.Subnets), e.Holder.Name())
}

// Refusal is the error for a claim whose contestant runs.
func (e *ContestedError) Refusal() error {
	if e.Claim.knows(e.Holder, e.Addr.IsValid()) {
		return &CloneError{Holder: e.Holder, Held: e.Held, Claimant: e.Claim.Owner, Public: e.Claim.Public}
	}
	return &AddressTakenError{Addr: e.Addr, Holder: e.Holder, Held: e.Held.Subnets, Claimant: e.Claim.Owner}
}

// How long an agent has to answer. A running one does so within milliseconds,
// or within a second if it is busy. The claimant is most likely a rebooted
// host if it is the same machine by all that it knows; otherwise there is no
// haste.
const (
	patienceReboot = 3 * time.Second
	patienceOther  = 9 * time.Second
)

// Patience is how long to wait for an answer.
func (e *ContestedError) Patience() time.Duration {
	if e.Claim.ID == e.Holder.ID && sameHost(e.Claim.Owner, e.Holder) && e.Claim.Product == e.Holder.Product {
		return patienceReboot
	}
	return patienceOther
}
