package ptp

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/types/create"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/cni"
	"github.com/weft-net/weft/internal/cni/ipam"
	"github.com/weft-net/weft/internal/kernel/podlink"
)

// Check compares the container with the result of its Add, on record and in
// the kernel.
func (Plugin) Check(_ context.Context, r cni.Request) error {
	c, err := parse(r)
	if err != nil {
		return err
	}
	link, err := added(r, c.PrevResult)
	if err != nil {
		return err
	}
	if err := recorded(c, owner(r), link.Addrs); err != nil {
		return err
	}
	pod, err := openPod(r)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(pod) }() // it is only referred to
	if err := link.Check(pod); err != nil {
		return types.NewError(cni.ErrChanged, fmt.Sprintf("container %s is not connected as it was", r.ContainerID), err.Error())
	}
	return nil
}

// recorded fails unless o has exactly these addresses on record.
func recorded(c config, o ipam.Owner, addrs []netip.Addr) error {
	store, err := ipam.Open(c.DataDir)
	if err != nil {
		return types.NewError(types.ErrIOFailure, err.Error(), "")
	}
	record, _, err := store.Find(o)
	if err != nil {
		return types.NewError(types.ErrIOFailure, err.Error(), "")
	}
	if !slices.Equal(record.Addrs, addrs) {
		return types.NewError(cni.ErrChanged, fmt.Sprintf("container %s was given %v, and %v are on record", o.ContainerID, addrs, record.Addrs), "")
	}
	return nil
}

// added returns the link that Add's result describes.
func added(r cni.Request, prev map[string]json.RawMessage) (podlink.Link, error) {
	link := linkOf(owner(r))
	if prev == nil {
		return link, types.NewError(types.ErrInvalidNetworkConfig, "the config of a CHECK lacks prevResult", "")
	}
	res, err := parseResult(r.Version, prev)
	if err != nil {
		return link, types.NewError(types.ErrDecodingFailure, "read prevResult", err.Error())
	}
	at := slices.IndexFunc(res.Interfaces, func(i *current.Interface) bool {
		return i != nil && i.Name == r.IfName && i.Sandbox != ""
	})
	if at < 0 {
		return link, types.NewError(types.ErrInvalidNetworkConfig, "prevResult has no interface "+r.IfName+" of the container", "")
	}
	link.MTU = res.Interfaces[at].Mtu // 0, not known, before version 1.1
	for _, ip := range res.IPs {
		if ip == nil || ip.Interface == nil || *ip.Interface != at {
			continue
		}
		a, ok := netip.AddrFromSlice(ip.Address.IP)
		if !ok {
			return link, types.NewError(types.ErrInvalidNetworkConfig, "prevResult has an address that is none: "+ip.Address.IP.String(), "")
		}
		link.Addrs = append(link.Addrs, a.Unmap())
	}
	return link, nil
}

// parseResult reads a result of the config's version in the form of the
// newest one.
func parseResult(version string, fields map[string]json.RawMessage) (*current.Result, error) {
	fields["cniVersion"], _ = json.Marshal(version) // older ones need not have it; a string has a JSON form
	raw, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	res, err := create.Create(version, raw)
	if err != nil {
		return nil, err
	}
	return current.NewResultFromResult(res)
}

// prefix is a prefix in the form of the library's results.
func prefix(a netip.Addr, bits int) net.IPNet {
	return net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(bits, a.BitLen())}
}

// unspecified is the address of all zeros of a's family.
func unspecified(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}
