// Package wgkey keeps the secrets of WireGuard: this host's private key, in a file
// of the state directory that only its owner reads, and preshared keys, in
// memory. The rest of weft names them by what can be shown: a public key, a
// fingerprint. It must not log or print a secret.
package wgkey

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
)

// FileName is the name of the private key's file in the state directory.
const FileName = "wireguard.key"

// NextName is the name of the file of the key that is to take the private key's place. It
// is there from when the key is made until peers know it.
const NextName = FileName + ".next"

// Key is a secret key. It prints as "(secret)".
type Key [32]byte

// String returns "(secret)".
func (Key) String() string { return "(secret)" }

// GoString returns "(secret)", for %#v.
func (Key) GoString() string { return "(secret)" }

// Ring holds secrets by what can be shown of them. Its methods may be called from any
// goroutine. The zero Ring is empty.
type Ring struct {
	mu        sync.Mutex
	private   map[netstate.WGKey]Key
	preshared map[string]Key
	public    netstate.WGKey
	next      netstate.WGKey
	made      time.Time // the private key
	dir       string    // "": nothing is kept
}

// Open returns a ring with the private key of the state directory, which is made if
// there is none: then the key of flannel's file former is taken over, so that peers
// know this host already. So it is if flannel has made it since. A key that cannot be kept is an error beside a ring
// that has it; it is another one after a restart.
func Open(stateDir, former string) (*Ring, error) {
	path := filepath.Join(stateDir, FileName)
	r := &Ring{dir: stateDir}
	private, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if private, err = read(former); err != nil {
			_, _ = rand.Read(private[:]) // which never fails
		}
		err = write(path, private)
	case err != nil:
		return r, err
	case newer(former, path):
		if theirs, unread := read(former); unread == nil && theirs != private {
			private, err = theirs, write(path, theirs)
		}
	}
	var failed error
	r.public, failed = r.Add(private)
	err = errors.Join(err, failed, r.resume())
	return r, err
}

// Look returns a ring with the private key that Open has made in the state directory, or
// without one. It writes nothing.
func Look(stateDir string) *Ring {
	r := &Ring{dir: stateDir}
	if private, err := read(filepath.Join(stateDir, FileName)); err == nil {
		r.public, _ = r.Add(private)
	}
	_ = r.resume() // a key that cannot be read is missing
	return r
}

// Public is this host's public key; zero if there is none, or no ring.
func (r *Ring) Public() netstate.WGKey {
	if r == nil {
		return netstate.WGKey{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.public
}

// Add takes in a private key and returns its public one.
func (r *Ring) Add(private Key) (public netstate.WGKey, err error) {
	key, err := ecdh.X25519().NewPrivateKey(private[:])
	if err != nil {
		return public, errors.New("not a private key of WireGuard")
	}
	copy(public[:], key.PublicKey().Bytes())
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.private == nil {
		r.private = map[netstate.WGKey]Key{}
	}
	r.private[public] = private
	return public, nil
}

// Share takes in preshared keys. Without a ring it does nothing.
func (r *Ring) Share(keys ...netconf.PSK) {
	if r == nil || len(keys) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.preshared == nil {
		r.preshared = map[string]Key{}
	}
	for _, k := range keys {
		r.preshared[k.Fingerprint()] = Key(k)
	}
}

// Private returns the private key that belongs to a public one.
func (r *Ring) Private(public netstate.WGKey) (Key, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.private[public]
	return k, ok
}

// Preshared returns the preshared key with a fingerprint.
func (r *Ring) Preshared(fingerprint string) (Key, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.preshared[fingerprint]
	return k, ok
}

// newer reports whether both files are there and a was written after b.
func newer(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && first.ModTime().After(second.ModTime())
}

func read(path string) (k Key, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return k, fmt.Errorf("read the private key: %w", err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != len(k) {
		return k, fmt.Errorf("%s has no private key of WireGuard, 32 bytes in base64; remove the file, and the agent makes another key", path)
	}
	return Key(raw), nil
}

func write(path string, k Key) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keep the private key: %w", err)
	}
	text := base64.StdEncoding.EncodeToString(k[:]) + "\n"
	if err := renameio.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("keep the private key: %w", err)
	}
	return nil
}
