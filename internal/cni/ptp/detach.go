package ptp

import (
	"context"
	"errors"
	"fmt"

	"github.com/containernetworking/cni/pkg/types"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/cni"
	"github.com/weft-net/weft/internal/cni/ipam"
	"github.com/weft-net/weft/internal/kernel/podlink"
)

// Del removes the container's link, with which the other end and the routes
// go, and releases its addresses. It needs neither agent nor namespace; where
// the namespace still exists, it removes the link's rules there as well. A
// record that cannot be removed fails no Del: GC removes it later.
func (Plugin) Del(ctx context.Context, r cni.Request) error {
	c, err := parse(r)
	if err != nil {
		return err
	}
	store, err := ipam.Open(ctx, c.DataDir)
	if _, locked := errors.AsType[*ipam.LockedError](err); locked {
		return storeError(err)
	}
	if err != nil {
		r.Warn(err)
		return unlink(owner(r))
	}
	err = detach(ctx, store, owner(r), r.Netns)
	if kept, ok := errors.AsType[*recordError](err); ok {
		r.Warn(fmt.Errorf("container %s is disconnected; its addresses stay on record until the next GC: %w", r.ContainerID, kept))
		return nil
	}
	return err
}

// GC detaches all containers of this network that the runtime does not know.
// It leaves those of other networks alone.
func (Plugin) GC(ctx context.Context, r cni.Request) error {
	c, err := parse(r)
	if err != nil {
		return err
	}
	store, err := c.store(ctx)
	if err != nil {
		return err
	}
	records, failures := store.List()
	if failures != nil {
		failures = types.NewError(types.ErrIOFailure, failures.Error(), "")
	}
	valid := map[ipam.Owner]bool{}
	for _, a := range r.Valid {
		valid[ipam.Owner(a)] = true
	}
	for _, record := range records {
		if record.Network == r.Network && !valid[record.Owner] {
			failures = errors.Join(failures, detach(ctx, store, record.Owner, ""))
		}
	}
	return failures
}

// detach removes a link and its record; netns is the path of the container's
// namespace, or empty if it is not known. A *recordError says that the link is
// removed and the record is not.
func detach(ctx context.Context, store *ipam.Store, o ipam.Owner, netns string) error {
	release, holdErr := store.Hold(ctx, o)
	if _, locked := errors.AsType[*ipam.LockedError](holdErr); locked {
		return storeError(holdErr)
	}
	if holdErr == nil {
		defer release()
	}
	if err := unlink(o); err != nil {
		return err
	}
	if err := removeRules(store, o, netns); err != nil {
		return fmt.Errorf("disconnect container %s: %w", o.ContainerID, err)
	}
	if err := errors.Join(holdErr, store.Release(o)); err != nil {
		return &recordError{err}
	}
	return nil
}

// recordError says that a container is disconnected and its record is not
// removed, or was removed without its lock.
type recordError struct{ error }

func (e *recordError) Unwrap() error { return e.error }

func unlink(o ipam.Owner) error {
	if err := podlink.Remove(linkOf(o).Host); err != nil {
		return fmt.Errorf("disconnect container %s: %w", o.ContainerID, err)
	}
	return nil
}

// removeRules removes the routing rules of a link that a container has beside
// its first. They are removed with the namespace otherwise.
func removeRules(store *ipam.Store, o ipam.Owner, netns string) error {
	record, found, err := store.Find(o)
	if err != nil || !found || netns == "" {
		return nil // a record that cannot be read is released all the same
	}
	pod, err := podlink.OpenNamespace(netns)
	if err != nil {
		return nil
	}
	defer func() { _ = unix.Close(pod) }() // it is only referred to
	return podlink.RemoveRules(pod, record.Addrs)
}
