package ptp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	"github.com/containernetworking/cni/pkg/types"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/cni"
	"github.com/weft-net/weft/internal/cni/ipam"
	"github.com/weft-net/weft/internal/kernel/podlink"
)

// Check compares the record and the kernel with the result of Add.
func (Plugin) Check(ctx context.Context, r cni.Request) error {
	c, err := parse(r)
	if err != nil {
		return err
	}
	link, err := addedLink(r, c)
	if err != nil {
		return err
	}
	if err := checkRecord(ctx, c, owner(r), link.Addrs); err != nil {
		return err
	}
	pod, err := openPod(r)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(pod) }() // it is only referred to
	if err := link.Check(pod); err != nil {
		return types.NewError(cni.ErrChanged, fmt.Sprintf("the network of container %s has changed since its ADD", r.ContainerID), err.Error())
	}
	return nil
}

// checkRecord fails unless o has exactly these addresses on record.
func checkRecord(ctx context.Context, c config, o ipam.Owner, addrs []netip.Addr) error {
	store, err := c.store(ctx)
	if err != nil {
		return err
	}
	record, _, err := store.Find(o)
	if err != nil {
		return storeError(err)
	}
	if !slices.Equal(record.Addrs, addrs) {
		return types.NewError(cni.ErrChanged, fmt.Sprintf("container %s has the addresses %v by its ADD, and %v on record", o.ContainerID, addrs, record.Addrs), "")
	}
	return nil
}

// previous is what CHECK needs of the result of an ADD. It is the same in all
// versions of the spec that have CHECK.
type previous struct {
	Interfaces []struct {
		Name    string `json:"name"`
		MAC     string `json:"mac"`
		Sandbox string `json:"sandbox"` // path of the namespace; "" of the host's
		MTU     int    `json:"mtu"`     // 0, not known, before version 1.1
	} `json:"interfaces"`
	IPs []struct {
		Interface *int         `json:"interface"` // index in Interfaces
		Address   netip.Prefix `json:"address"`
	} `json:"ips"`
}

// addedLink returns the link that Add's result describes.
func addedLink(r cni.Request, c config) (podlink.Link, error) {
	link := linkOf(owner(r))
	if c.PrevResult == nil {
		return link, types.NewError(types.ErrInvalidNetworkConfig, "the config of a CHECK lacks prevResult", "")
	}
	var prev previous
	if err := json.Unmarshal(*c.PrevResult, &prev); err != nil {
		return link, types.NewError(types.ErrDecodingFailure, "read prevResult", err.Error())
	}
	at := -1
	for i, dev := range prev.Interfaces {
		if dev.Name == link.Host && dev.Sandbox == "" {
			link.MTU = dev.MTU
		}
		if dev.Name == r.IfName && dev.Sandbox != "" {
			at = i
			if mac, err := parseMAC(dev.MAC); err == nil { // the runtime may have requested it
				link.PodMAC = mac
			}
		}
	}
	for _, ip := range prev.IPs {
		if ip.Interface != nil && *ip.Interface == at && ip.Address.IsValid() {
			link.Addrs = append(link.Addrs, ip.Address.Addr())
		}
	}
	if len(link.Addrs) == 0 {
		return link, types.NewError(types.ErrInvalidNetworkConfig, "prevResult has no addresses of the container's interface "+r.IfName, "")
	}
	return link, nil
}
