package ipam

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Owner is an interface of a container. Both parts are checked where
// they enter the program: no slash, no colon, 255 bytes together.
type Owner struct{ ContainerID, IfName string }

func (o Owner) name() string { return o.ContainerID + ":" + o.IfName }

// Record is what is allocated to an owner.
type Record struct {
	Owner
	Network string       // name of the CNI config through which it came
	Addrs   []netip.Addr // one a subnet, in the order of Allocate
}

// Store is the records in a directory, which all processes that use the
// directory share.
type Store struct{ dir, boot string }

// bootID is the file with the id of the current boot (random(4)).
const bootID = "/proc/sys/kernel/random/boot_id"

// Open opens the store in dir and creates it if it does not exist.
func Open(ctx context.Context, dir string) (*Store, error) {
	raw, err := os.ReadFile(bootID)
	if err != nil {
		return nil, fmt.Errorf("read the id of the current boot: %w", err)
	}
	s := &Store{dir: dir, boot: strings.TrimSpace(string(raw))}
	if _, err := os.Stat(s.folder()); err == nil {
		return s, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the directory for containers' addresses: %w", err)
	}
	lock, err := s.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Close() }() // nothing was written
	return s, s.begin()
}

func (s *Store) folder() string      { return filepath.Join(s.dir, s.boot) }
func (s *Store) path(o Owner) string { return filepath.Join(s.folder(), o.name()) }
func (s *Store) failed(err error) error {
	return fmt.Errorf("keep containers' addresses in %s: %w", s.dir, err)
}
func isBootID(name string) bool { return len(name) == 36 && strings.Count(name, "-") == 4 }

// begin removes the directories of earlier boots and creates this one's. One
// that cannot be removed is no error, since its records have no meaning.
func (s *Store) begin() error {
	entries, _ := os.ReadDir(s.dir)
	for _, e := range entries {
		if e.IsDir() && isBootID(e.Name()) && e.Name() != s.boot {
			_ = os.RemoveAll(filepath.Join(s.dir, e.Name()))
		}
	}
	if err := os.Mkdir(s.folder(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return s.failed(err)
	}
	return nil
}

// Release removes the record of o. A missing record is no error.
func (s *Store) Release(o Owner) error {
	if err := os.Remove(s.path(o)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.failed(err)
	}
	return nil
}

// Find returns the record of o.
func (s *Store) Find(o Owner) (r Record, found bool, err error) {
	r, err = s.read(o.name())
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	return r, err == nil, err
}

// List returns all records, in no order. Files that Allocate did not create are an
// error that names them, and the records are returned all the same.
func (s *Store) List() ([]Record, error) {
	dir, err := os.Open(s.folder())
	if err != nil {
		return nil, s.failed(err)
	}
	names, err := dir.Readdirnames(0)
	if err = errors.Join(err, dir.Close()); err != nil {
		return nil, s.failed(err)
	}
	var odd []error
	records := make([]Record, 0, len(names))
	for _, name := range names {
		r, err := s.read(name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // released meanwhile
		case err != nil:
			odd = append(odd, err)
		default:
			records = append(records, r)
		}
	}
	return records, errors.Join(odd...)
}

// read reads the link of a name.
func (s *Store) read(name string) (r Record, err error) {
	target, err := os.Readlink(filepath.Join(s.folder(), name))
	switch {
	case errors.Is(err, unix.EINVAL): // not a link
		err = foreign(name, target)
	case err == nil:
		r, err = parse(name, target)
	}
	if err != nil {
		return r, s.failed(err)
	}
	return r, nil
}

// target returns r in the form of a link's target.
func (r Record) target() string {
	words := []string{r.Network}
	for _, a := range r.Addrs {
		words = append(words, a.String())
	}
	return strings.Join(words, " ")
}

// parse reads a link.
func parse(name, target string) (Record, error) {
	id, ifName, ok := strings.Cut(name, ":")
	words := strings.Fields(target)
	if !ok || len(words) == 0 {
		return Record{}, foreign(name, target)
	}
	r := Record{Owner: Owner{id, ifName}, Network: words[0]}
	for _, word := range words[1:] {
		a, err := netip.ParseAddr(word)
		if err != nil {
			return Record{}, foreign(name, target)
		}
		r.Addrs = append(r.Addrs, a)
	}
	return r, nil
}

func foreign(name, target string) error {
	return fmt.Errorf("%q -> %q is not a record of a container's addresses; remove it", name, target)
}
