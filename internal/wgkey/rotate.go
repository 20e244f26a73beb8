package wgkey

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/weft-net/weft/internal/netstate"
)

// resume takes up the next key that an earlier run has made, and finds out how old the
// private key is.
func (r *Ring) resume() error {
	if info, err := os.Stat(filepath.Join(r.dir, FileName)); err == nil {
		r.made = info.ModTime()
	}
	private, err := read(filepath.Join(r.dir, NextName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		r.next, err = r.Add(private)
	}
	return err
}

// Made is when the private key was made; zero if that is unknown.
func (r *Ring) Made() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.made
}

// Next is the public key that is to take the place of this host's; zero if there is none.
func (r *Ring) Next() netstate.WGKey {
	if r == nil {
		return netstate.WGKey{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next
}

// Renew makes the next key, unless there is one, and keeps it in the state directory beside
// the private key. It returns its public key once that is on disk.
func (r *Ring) Renew() (netstate.WGKey, error) {
	if next := r.Next(); !next.IsZero() {
		return next, nil
	}
	var private Key
	_, _ = rand.Read(private[:]) // which never fails
	if err := write(filepath.Join(r.dir, NextName), private); err != nil {
		return netstate.WGKey{}, err
	}
	public, err := r.Add(private)
	if err != nil {
		return netstate.WGKey{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = public
	return public, nil
}

// Keep makes the next key, whose public one is next, this host's, by renaming its file, and
// forgets the one before.
func (r *Ring) Keep(next netstate.WGKey) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if next.IsZero() || r.next != next {
		return nil
	}
	now, path := time.Now(), filepath.Join(r.dir, FileName)
	if err := rename(filepath.Join(r.dir, NextName), path); err != nil {
		return fmt.Errorf("replace the private key in %s: %w", path, err)
	}
	delete(r.private, r.public)
	r.public, r.next, r.made = next, netstate.WGKey{}, now
	return nil
}

// rename gives a file of a directory the place of another one, also after a loss of power.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
