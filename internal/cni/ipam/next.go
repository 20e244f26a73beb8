package ipam

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
)

// FullError says that every address of a subnet is in use.
type FullError struct{ Subnet netip.Prefix }

// Error names the subnet.
func (e *FullError) Error() string {
	return fmt.Sprintf("every address of this host's subnet %s is in use", e.Subnet)
}

// next returns the first free address of subnet after last, and wraps around at
// the end, so that a released address is not allocated again at once: peers may
// still have connections to it. It never returns the network's own address and
// the one after it, which are the host's (a VXLAN device has the one, a bridge
// would have the other), nor the last one, which is for broadcast in IPv4.
func next(subnet netip.Prefix, last netip.Addr, used map[netip.Addr]bool) (netip.Addr, bool) {
	first := first(subnet)
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

// first returns the first address of subnet that may be allocated.
func first(subnet netip.Prefix) netip.Addr { return subnet.Masked().Addr().Next().Next() }

// usable reports whether a and the address after it are in subnet.
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

// maxLast bounds the size of the hints in bytes.
const maxLast = 4 << 10

// readLast reads from the lock file which address of each subnet was allocated
// last. It is only a hint: where it is missing or invalid, allocation starts at
// the first address.
func readLast(lock io.ReaderAt) map[netip.Prefix]netip.Addr {
	raw, _ := io.ReadAll(io.NewSectionReader(lock, 0, maxLast))
	return parseLast(string(raw))
}

func writeLast(lock *os.File, last map[netip.Prefix]netip.Addr) error {
	var text strings.Builder
	for subnet, a := range last {
		if !a.IsValid() {
			continue // none was chosen yet
		}
		fmt.Fprintln(&text, subnet, a)
	}
	_, err := lock.WriteAt([]byte(text.String()), 0)
	return errors.Join(err, lock.Truncate(int64(text.Len())))
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
