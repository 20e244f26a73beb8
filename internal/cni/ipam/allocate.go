package ipam

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
)

// Allocate allocates an address of each subnet for o and records them: the wanted
// one where there is one, else the next free one. It fails with a *FullError if
// a subnet has no free address, with a *RequestError if a wanted address cannot
// be had, and with an error for which errors.Is(err, fs.ErrExist) holds if o
// has addresses already.
func (s *Store) Allocate(ctx context.Context, o Owner, network string, subnets []netip.Prefix, wanted ...netip.Addr) (Record, error) {
	lock, err := s.lock(ctx)
	if err != nil {
		return Record{}, err
	}
	defer func() { _ = lock.Close() }() // it contains only hints
	taken, err := s.List()
	if err != nil {
		return Record{}, err
	}
	if err := check(wanted, subnets, taken); err != nil {
		return Record{}, err
	}
	r := Record{Owner: o, Network: network}
	used, before, last := inUse(taken), readLast(lock), map[netip.Prefix]netip.Addr{}
	for _, subnet := range subnets {
		last[subnet] = before[subnet]
		a, ok := among(wanted, subnet)
		if !ok {
			a, ok = next(subnet, before[subnet], used)
			last[subnet] = a
		}
		if !ok {
			return Record{}, &FullError{Subnet: subnet}
		}
		r.Addrs = append(r.Addrs, a)
	}
	// Before the link: whatever happens, these are not the next to be given.
	// It is a hint: an error, as of a full disk, changes only the order.
	_ = writeLast(lock, last)
	if err := os.Symlink(r.target(), s.path(o)); err != nil {
		return Record{}, s.failed(err)
	}
	return r, nil
}

// RequestError says why an address cannot be had that was asked for.
type RequestError struct {
	Addr   netip.Addr
	Reason string
}

// Error names the address and the reason.
func (e *RequestError) Error() string {
	return fmt.Sprintf("address %s cannot be allocated: %s", e.Addr, e.Reason)
}

// check refuses wanted addresses that are not free in the subnets, or that are
// two of one subnet.
func check(wanted []netip.Addr, subnets []netip.Prefix, taken []Record) error {
	for i, a := range wanted {
		at := slices.IndexFunc(subnets, func(p netip.Prefix) bool { return p.Contains(a) })
		if at < 0 {
			return &RequestError{a, fmt.Sprintf("it is in none of this host's subnets %v", subnets)}
		}
		if a.Less(first(subnets[at])) || !usable(subnets[at], a) {
			return &RequestError{a, "the first two addresses of a subnet and the last one are reserved"}
		}
		if b, _ := among(wanted, subnets[at]); b != wanted[i] {
			return &RequestError{a, fmt.Sprintf("%s of the same subnet is requested as well", b)}
		}
		for _, r := range taken {
			if slices.Contains(r.Addrs, a) {
				return &RequestError{a, fmt.Sprintf("container %s has it on its interface %s", r.ContainerID, r.IfName)}
			}
		}
	}
	return nil
}

// among returns the first of the addresses that is in subnet.
func among(all []netip.Addr, subnet netip.Prefix) (netip.Addr, bool) {
	at := slices.IndexFunc(all, subnet.Contains)
	if at < 0 {
		return netip.Addr{}, false
	}
	return all[at], true
}
