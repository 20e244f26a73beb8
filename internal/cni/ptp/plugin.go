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

// Add creates the container's link. Its result has two interfaces, the host's
// end and the container's.
func (Plugin) Add(ctx context.Context, r cni.Request) (types.Result, error) {
	c, err := parse(r)
	if err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	want, err := c.wanted(r.Args)
	if err != nil {
		return nil, err
	}
	env, err := fabric.Await(ctx, c.SubnetFile, func() (subnetenv.Env, error) { return fabric.Subnets(c.SubnetFile) })
	if err != nil {
		return nil, err
	}
	pod, err := openPod(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(pod) }() // it is only referred to
	store, err := c.store(ctx)
	if err != nil {
		return nil, err
	}
	link, out, err := attach(ctx, r, store, env, want, pod)
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

// attach records addresses for the container and creates its link. out are the
// gateways of the container's default routes on the link.
func attach(ctx context.Context, r cni.Request, store *ipam.Store, env subnetenv.Env, want wanted, pod int) (link podlink.Link, out []netip.Addr, err error) {
	o := owner(r)
	link = linkOf(o)
	if want.mac != (podlink.MAC{}) {
		link.PodMAC = want.mac
	}
	release, err := store.Hold(ctx, o)
	if err != nil {
		return link, nil, storeError(err)
	}
	defer release()
	if err := releaseLeftover(store, o, link); err != nil {
		return link, nil, err
	}
	record, err := store.Allocate(ctx, o, r.Network, env.Subnets, want.addrs...)
	if full, ok := errors.AsType[*ipam.FullError](err); ok {
		return link, nil, types.NewError(types.ErrTryAgainLater, full.Error(),
			"remove containers, have the runtime collect garbage (CNI GC), or give the network a shorter SubnetLen")
	}
	if refused, ok := errors.AsType[*ipam.RequestError](err); ok {
		return link, nil, types.NewError(types.ErrInvalidNetworkConfig, refused.Error(), "the runtime requests it (ips, or IP in CNI_ARGS)")
	}
	if err != nil {
		return link, nil, storeError(err)
	}
	link.MTU, link.Addrs = env.MTU, record.Addrs
	if out, err = link.Make(pod); err != nil {
		err = fmt.Errorf("connect container %s: %w%s", r.ContainerID, err, hint(err))
		return link, nil, errors.Join(err, store.Release(o))
	}
	return link, out, nil
}

// releaseLeftover releases the addresses of an Add that was killed before it created
// the link. If the link exists, the container is attached, and Add is refused.
func releaseLeftover(store *ipam.Store, o ipam.Owner, link podlink.Link) error {
	_, found, err := store.Find(o)
	if err != nil || !found {
		return err
	}
	there, err := podlink.Exists(link.Host)
	if err != nil {
		return err
	}
	if there {
		return types.NewError(cni.ErrAttached, fmt.Sprintf("container %s already has its interface %s", o.ContainerID, o.IfName), "call DEL first")
	}
	return store.Release(o)
}

func hint(err error) string {
	switch {
	case errors.Is(err, syscall.EEXIST):
		return "; the name or the address is in use: check `ip link` on the host and in the container, and `ip route`"
	case errors.Is(err, syscall.EPERM):
		return "; root, or CAP_NET_ADMIN and CAP_SYS_ADMIN, are needed"
	}
	return ""
}

// Status fails if containers cannot be added, or not be reached.
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
