// Package rekey replaces this host's key for WireGuard when a command asks for it: it
// makes the next private key, hands its public one to the steps, and keeps it alone once
// they say so. When the device gets the key and when peers are told, the steps decide;
// it must not touch either.
package rekey

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/mailbox"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/wgkey"
)

// Keys is this host's key and its replacement. Its methods are safe for concurrent use.
type Keys struct {
	Made mailbox.Mailbox[netstate.WGKey] // the next key, once it is on disk

	ring *wgkey.Ring
	log  *slog.Logger
	mu   sync.Mutex
	done chan struct{} // closed when the replacement under way is complete; nil: nobody waits
	err  error         // why the last replacement is not on disk
}

// New returns the keys of ring.
func New(ring *wgkey.Ring, log *slog.Logger) *Keys {
	return &Keys{Made: mailbox.New[netstate.WGKey](), ring: ring, log: log}
}

// Key implements api.Keys.
func (k *Keys) Key() (api.Key, error) {
	public, next := k.ring.Public(), k.ring.Next()
	if public.IsZero() {
		return api.Key{}, errors.New("this host has no key for WireGuard: its state directory cannot be read or written")
	}
	out := api.Key{PublicKey: public.String(), Made: k.ring.Made()}
	if !next.IsZero() {
		out.Next = next.String()
	}
	return out, nil
}

// Rotate implements api.Keys. A replacement under way is waited for, and no other one begins.
func (k *Keys) Rotate(ctx context.Context, olderThan time.Duration) (api.Key, error) {
	done, err := k.begin(olderThan)
	if err != nil || done == nil {
		return k.answer(false, err)
	}
	select {
	case <-ctx.Done():
		return k.answer(false, nil)
	case <-done:
	}
	k.mu.Lock()
	err = k.err
	k.mu.Unlock()
	return k.answer(true, err)
}

func (k *Keys) answer(rotated bool, err error) (api.Key, error) {
	if err != nil {
		return api.Key{}, err
	}
	out, err := k.Key()
	out.Rotated = rotated
	return out, err
}

// begin makes the next key if there is none, and returns what is closed when it has
// taken the other's place; nil if the key is not old enough.
func (k *Keys) begin(olderThan time.Duration) (<-chan struct{}, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, err := k.Key(); err != nil {
		return nil, err
	}
	if k.ring.Next().IsZero() && olderThan > 0 && time.Since(k.ring.Made()) < olderThan {
		return nil, nil
	}
	next, err := k.ring.Renew()
	if err != nil {
		return nil, err
	}
	if k.done == nil {
		k.done = make(chan struct{})
	}
	k.Made.Put(next)
	return k.done, nil
}

// Keep keeps the private key of this public one alone, which the store has now; zero: nothing
// changes. If that fails the host uses it all the same, and a restart finds out by what was
// announced.
func (k *Keys) Keep(key netstate.WGKey) {
	if key.IsZero() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err = k.ring.Keep(key); k.err != nil {
		k.log.Warn("the new WireGuard key is in use, but its file cannot replace the former one; a restart tries again", "error", k.err)
	}
	if k.done != nil {
		close(k.done)
		k.done = nil
	}
}
