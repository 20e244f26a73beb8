package ipam

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

var (
	subnet4 = netip.MustParsePrefix("10.5.1.0/24")
	subnet6 = netip.MustParsePrefix("fd05:0:0:1::/64")
	both    = []netip.Prefix{subnet4, subnet6}
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func numbered(n int) Owner { return Owner{fmt.Sprintf("c%d", n), "eth0"} }

func allocate(t *testing.T, s *Store, o Owner, subnets ...netip.Prefix) string {
	t.Helper()
	r, err := s.Allocate(t.Context(), o, "net", subnets)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(fmt.Sprint(r.Addrs), "[]")
}

func TestAllocate(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "deep", "down"))
	if got, want := allocate(t, s, numbered(1), both...), "10.5.1.2 fd05:0:0:1::2"; got != want {
		t.Errorf("the first got %s, want %s", got, want)
	}
	if _, err := s.Allocate(t.Context(), numbered(1), "net", both); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: got %v, want fs.ErrExist", err)
	}
	r, found, err := s.Find(numbered(1))
	if err != nil || !found || r.Network != "net" || len(r.Addrs) != 2 || r.Owner != numbered(1) {
		t.Errorf("found %+v, %v, %v", r, found, err)
	}
	for range 2 {
		if err := s.Release(numbered(1)); err != nil {
			t.Error(err)
		}
	}
	if _, found, err := s.Find(numbered(1)); found || err != nil {
		t.Errorf("what was released is found, or %v", err)
	}
	if all, err := s.List(); len(all) != 0 || err != nil {
		t.Errorf("%v is left, or %v", all, err)
	}
}

func TestReleasedAddressesAreReusedLast(t *testing.T) {
	s := open(t, t.TempDir())
	small := netip.MustParsePrefix("10.5.1.16/29") // .18 to .22
	var got []string
	for range 7 {
		got = append(got, allocate(t, s, numbered(1), small))
		if err := s.Release(numbered(1)); err != nil {
			t.Fatal(err)
		}
	}
	want := "10.5.1.18 10.5.1.19 10.5.1.20 10.5.1.21 10.5.1.22 10.5.1.18 10.5.1.19"
	if strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestFull(t *testing.T) {
	s := open(t, t.TempDir())
	small := netip.MustParsePrefix("10.5.1.16/29")
	for n := range 5 {
		allocate(t, s, numbered(n), small, subnet6)
	}
	_, err := s.Allocate(t.Context(), numbered(5), "net", []netip.Prefix{subnet6, small})
	if full, ok := errors.AsType[*FullError](err); !ok || full.Subnet != small {
		t.Errorf("got %v, want a FullError of %s", err, small)
	}
	if all, err := s.List(); len(all) != 5 || err != nil {
		t.Errorf("%d records of 5 are there, %v", len(all), err)
	}
	if err := s.Release(numbered(3)); err != nil {
		t.Fatal(err)
	}
	if got := allocate(t, s, numbered(5), small); got != "10.5.1.21" {
		t.Errorf("got %s, want the one that was released", got)
	}
	if got := allocate(t, s, numbered(6), netip.MustParsePrefix("10.6.0.0/24")); got != "10.6.0.2" {
		t.Errorf("got %s out of a new subnet", got)
	}
}

func TestSubnetsWithoutRoom(t *testing.T) {
	for _, p := range []string{"10.5.1.0/31", "10.5.1.1/32", "fd05::/127", "255.255.255.254/31"} {
		if a, ok := next(netip.MustParsePrefix(p), netip.Addr{}, nil); ok {
			t.Errorf("%s gave %s", p, a)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	var group errgroup.Group
	const n = 200
	got := make([][]netip.Addr, n)
	for i := range n {
		group.Go(func() error {
			s, err := Open(t.Context(), dir) // as each process does
			if err != nil {
				return err
			}
			r, err := s.Allocate(t.Context(), numbered(i), "net", both)
			got[i] = r.Addrs
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(got...)
	slices.SortFunc(all, netip.Addr.Compare)
	if distinct := slices.Compact(all); len(distinct) != 2*n {
		t.Errorf("%d distinct addresses were given out, want %d", len(distinct), 2*n)
	}
}

func TestABootForgets(t *testing.T) {
	dir := t.TempDir()
	earlier := filepath.Join(dir, "01234567-89ab-cdef-0123-456789abcdef")
	if err := os.Mkdir(earlier, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("net 10.5.1.2", filepath.Join(earlier, "c1:eth0")); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(dir, "mine")
	if err := os.Mkdir(mine, 0o700); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	if _, err := os.Stat(earlier); !errors.Is(err, fs.ErrNotExist) {
		t.Error("an earlier boot's folder is still there")
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error("a foreign directory was removed")
	}
	if got := allocate(t, s, numbered(1), subnet4); got != "10.5.1.2" {
		t.Errorf("got %s: an earlier boot's address counts", got)
	}
}

func TestWhatIsNotARecordIsNamed(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"a file":  func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"a link":  func(path string) error { return os.Symlink("/etc/passwd x", path) },
		"nothing": func(path string) error { return os.Symlink(" ", path) },
	} {
		s := open(t, t.TempDir())
		if err := put(filepath.Join(s.folder(), "c1:eth0")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Allocate(t.Context(), numbered(2), "net", both); err == nil || !strings.Contains(err.Error(), "c1:eth0") {
			t.Errorf("%s: got %v, want an error that names it", name, err)
		}
		if err := s.Release(numbered(1)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		allocate(t, s, numbered(2), both...)
	}
}

func TestLastIsAHint(t *testing.T) {
	for _, text := range []string{"", "x", "10.5.1.0/24 fd05::1", "10.5.1.0/24 10.9.0.1", "10.5.1.0/24 10.5.1.255", "10.5.1.0/24 10.5.1.0"} {
		s := open(t, t.TempDir())
		if err := os.WriteFile(s.lockFile(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := allocate(t, s, numbered(1), subnet4); got != "10.5.1.2" {
			t.Errorf("after %q: got %s", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("c1:eth0", "net 10.5.1.2 fd05::2", "10.5.1.0/24 10.5.1.2\n")
	f.Add("", "", "")
	f.Fuzz(func(t *testing.T, name, target, last string) {
		if r, err := parse(name, target); err == nil {
			again, err := parse(r.name(), r.target())
			if err != nil || r.target() != again.target() || r.name() != name {
				t.Errorf("%+v was read back as %+v, %v", r, again, err)
			}
		}
		for subnet, a := range parseLast(last) {
			if got, ok := next(subnet, a, nil); ok && !subnet.Contains(got) {
				t.Errorf("%s is outside of %s", got, subnet)
			}
		}
	})
}

func BenchmarkAllocateOnAFullHost(b *testing.B) {
	s, err := Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	for n := range 250 {
		if _, err := s.Allocate(b.Context(), numbered(n), "net", both); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := s.Allocate(b.Context(), numbered(999), "net", both); err != nil {
			b.Fatal(err)
		}
		if err := s.Release(numbered(999)); err != nil {
			b.Fatal(err)
		}
	}
}
