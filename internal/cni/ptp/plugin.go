package ptp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/containernetworking/cni/pkg/types"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/cni"
	"github.com/weft-net/weft/internal/cni/fabric"
	"github.com/weft-net/weft/internal/cni/ipam"
	"github.com/weft-net/weft/internal/kernel/podlink"
	"github.com/weft-net/weft/internal/subnetenv"
)

// Plugin is the type's cni.Plugin.
type Plugin struct{}

func owner(r cni.Request) ipam.Owner { return ipam.Owner{ContainerID: r.ContainerID, IfName: r.IfName} }

// Add makes the container's link. Its result has two interfaces, the host's
// end and the container's.
func (Plugin) Add(_ context.Context, r cni.Request) (types.Result, error) {
	c, err := parse(r)
	if err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	env, err := fabric.Subnets(c.SubnetFile)
	if err != nil {
		return nil, err
	}
	pod, err := openPod(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(pod) }() // it is only referred to
	store, err := c.store()
	if err != nil {
		return nil, err
	}
	link, out, err := attach(r, store, env, pod)
	if err != nil {
		return nil, err
	}
	return result(r, c, link, out), nil
}

func openPod(r cni.Request) (int, error) {
	pod, err := podlink.OpenNamespace(r.Netns)
	if err != nil {
		return -1, types.NewError(types.ErrInvalidNetNS, "CNI_NETNS: "+err.Error(), "")
	}
	return pod, nil
}

// attach records addresses for the container and makes its link. out are the
// gateways of the container's default routes by it.
func attach(r cni.Request, store *ipam.Store, env subnetenv.Env, pod int) (link podlink.Link, out []netip.Addr, err error) {
	o := owner(r)
	link = linkOf(o)
	release, err := store.Hold(o)
	if err != nil {
		return link, nil, types.NewError(types.ErrIOFailure, err.Error(), "")
	}
	defer release()
	if err := leftover(store, o, link); err != nil {
		return link, nil, err
	}
	record, err := store.Take(o, r.Network, env.Subnets)
	if full, ok := errors.AsType[*ipam.FullError](err); ok {
		return link, nil, types.NewError(types.ErrTryAgainLater, full.Error(),
			"remove containers, have the runtime collect garbage (CNI GC), or give the network a shorter SubnetLen")
	}
	if err != nil {
		return link, nil, types.NewError(types.ErrIOFailure, err.Error(), "")
	}
	link.MTU, link.Addrs = env.MTU, record.Addrs
	if out, err = link.Make(pod); err != nil {
		err = fmt.Errorf("connect container %s: %w%s", r.ContainerID, err, hint(err))
		return link, nil, errors.Join(err, store.Release(o))
	}
	return link, out, nil
}

// leftover forgets the addresses of an Add that was killed before it made the
// link. If there is a link the container is attached, and Add must not be
// called.
func leftover(store *ipam.Store, o ipam.Owner, link podlink.Link) error {
	_, found, err := store.Find(o)
	if err != nil || !found {
		return err
	}
	there, err := podlink.Exists(link.Host)
	if err != nil {
		return err
	}
	if there {
		return types.NewError(cni.ErrAttached, fmt.Sprintf("container %s has its interface %s already", o.ContainerID, o.IfName), "call DEL first")
	}
	return store.Release(o)
}

func hint(err error) string {
	switch {
	case errors.Is(err, syscall.EEXIST):
		return "; something of that name or address is there already: see `ip link` on the host and in the container, and `ip route`"
	case errors.Is(err, syscall.EPERM):
		return "; root, or CAP_NET_ADMIN and CAP_SYS_ADMIN, are needed"
	}
	return ""
}

// Del removes the container's link, whose other end and routes go with it, and
// forgets its addresses. It needs neither agent nor namespace; where there is
// one still, the link's rules there go as well.
func (Plugin) Del(_ context.Context, r cni.Request) error {
	c, err := parse(r)
	if err != nil {
		return err
	}
	store, err := c.store()
	if err != nil {
		return err
	}
	return detach(store, owner(r), r.Netns)
}

// detach removes a link; netns is the path of the container's namespace, or
// empty if it is not known.
func detach(store *ipam.Store, o ipam.Owner, netns string) error {
	release, err := store.Hold(o)
	if err != nil {
		return types.NewError(types.ErrIOFailure, err.Error(), "")
	}
	defer release()
	if err := podlink.Remove(linkOf(o).Host); err != nil {
		return fmt.Errorf("disconnect container %s: %w", o.ContainerID, err)
	}
	if err := removeRules(store, o, netns); err != nil {
		return fmt.Errorf("disconnect container %s: %w", o.ContainerID, err)
	}
	return store.Release(o)
}

// removeRules removes the routing rules of a link that a container has beside
// its first. With the namespace they are gone.
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

// Status tells whether the fabric takes containers.
func (Plugin) Status(ctx context.Context, r cni.Request) error {
	c, err := parse(r)
	if err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	return fabric.Status(ctx, c.SubnetFile, c.RunDir)
}

// GC detaches all of this network that the runtime does not know. Containers
// of other networks are not its affair.
func (Plugin) GC(_ context.Context, r cni.Request) error {
	c, err := parse(r)
	if err != nil {
		return err
	}
	store, err := c.store()
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
			failures = errors.Join(failures, detach(store, record.Owner, ""))
		}
	}
	return failures
}
