package ipam

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// FullError says that every address of a subnet is in use.
type FullError struct{ Subnet netip.Prefix }

// Error names the subnet.
func (e *FullError) Error() string {
	return fmt.Sprintf("every address of this host's subnet %s is in use", e.Subnet)
}

// next returns the first free address of subnet after last, from the start
// again behind the end, so that one that was given back is not given out at once:
// somebody may still have connections to it. It never gives the network's own
// address and the one after it, which are the host's (a VXLAN device has the
// one, a bridge would have the other), nor the last one, which is for
// broadcast in IPv4.
func next(subnet netip.Prefix, last netip.Addr, used map[netip.Addr]bool) (netip.Addr, bool) {
	first := subnet.Masked().Addr().Next().Next()
	if !usable(subnet, first) {
		return netip.Addr{}, false
	}
	a := first
	if n := last.Next(); last.IsValid() && n.Compare(first) > 0 && usable(subnet, n) {
		a = n
	}
	for range len(used) + 1 {
		if !used[a] {
			return a, true
		}
		if a = a.Next(); !usable(subnet, a) {
			a = first
		}
	}
	return netip.Addr{}, false
}

// usable reports whether a and the address after it are of subnet.
func usable(subnet netip.Prefix, a netip.Addr) bool {
	return subnet.Contains(a) && subnet.Contains(a.Next())
}

func inUse(records []Record) map[netip.Addr]bool {
	used := map[netip.Addr]bool{}
	for _, r := range records {
		for _, a := range r.Addrs {
			used[a] = true
		}
	}
	return used
}

// The address that was last given out of each subnet is a matter of taste and
// not of correctness: a file that is missing or odd only means to start from
// the first address.
func (s *Store) lastFile() string { return filepath.Join(s.dir, "last") }

func (s *Store) last() map[netip.Prefix]netip.Addr {
	raw, _ := os.ReadFile(s.lastFile())
	return parseLast(string(raw))
}

func (s *Store) setLast(last map[netip.Prefix]netip.Addr) error {
	var text strings.Builder
	for subnet, a := range last {
		fmt.Fprintln(&text, subnet, a)
	}
	if err := os.WriteFile(s.lastFile(), []byte(text.String()), 0o600); err != nil {
		return s.failed(err)
	}
	return nil
}

// parseLast reads lines like "10.5.1.0/24 10.5.1.7".
func parseLast(text string) map[netip.Prefix]netip.Addr {
	all := map[netip.Prefix]netip.Addr{}
	for line := range strings.Lines(text) {
		of, is, _ := strings.Cut(strings.TrimSpace(line), " ")
		subnet, err := netip.ParsePrefix(of)
		a, alsoErr := netip.ParseAddr(is)
		if err == nil && alsoErr == nil {
			all[subnet] = a
		}
	}
	return all
}
