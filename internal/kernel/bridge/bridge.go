// Package bridge reads and changes the addresses of a bridge that containers
// are on, as the CNI plugin bridge makes it: the gateway addresses of their
// subnets. It decides nothing, and makes no bridge.
package bridge

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
)

// Device is a device that is there: a bridge, or a VLAN device on one.
type Device struct {
	conn  *rtnl.Conn
	name  string
	index int32
}

// Open returns the device with that name in the thread's network namespace, nil
// if there is none. It is to be closed.
func Open(name string) (*Device, error) {
	conn, err := rtnl.Open()
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	d := &Device{conn: conn, name: name}
	err = codec.ReadLink(conn, 0, name, func(l codec.Link) { d.index = l.Index })
	switch {
	case errors.Is(err, syscall.ENODEV), err == nil && d.index == 0:
		return nil, conn.Close()
	case err != nil:
		return nil, errors.Join(fmt.Errorf("look for device %s: %w", name, err), conn.Close())
	}
	return d, nil
}

// Close ends the use of d.
func (d *Device) Close() error { return d.conn.Close() }

// Addresses returns the addresses in the order in which the kernel lists them, v4
// first; not masked.
func (d *Device) Addresses() (all []netip.Prefix, err error) {
	err = codec.ReadAddrs(d.conn, d.index, func(a codec.Addr) { all = append(all, a.Prefix) })
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", d.name, err)
	}
	return all, nil
}

// Ports returns how many devices are ports of the bridge.
func (d *Device) Ports() (n int, err error) {
	err = codec.ReadLinks(d.conn, "", func(l codec.Link) {
		if l.Master == d.index {
			n++
		}
	})
	return n, err
}

// Add adds an address that may be there already.
func (d *Device) Add(p netip.Prefix) error {
	var b rtnl.Batch
	codec.EncodeAddr(&b, codec.Create, codec.Addr{Prefix: p, Index: d.index, Scope: unix.RT_SCOPE_UNIVERSE})
	if err := d.run(&b); err != nil && !errors.Is(err, syscall.EEXIST) {
		return fmt.Errorf("add address %s to device %s: %w", p, d.name, err)
	}
	return nil
}

// Remove removes an address that may be gone already.
func (d *Device) Remove(p netip.Prefix) error {
	var b rtnl.Batch
	codec.EncodeNoAddr(&b, codec.Addr{Prefix: p, Index: d.index})
	if err := d.run(&b); err != nil && !errors.Is(err, syscall.EADDRNOTAVAIL) {
		return fmt.Errorf("remove address %s from device %s: %w", p, d.name, err)
	}
	return nil
}

func (d *Device) run(b *rtnl.Batch) error {
	for _, f := range d.conn.Exec(b) {
		return f.Err
	}
	return nil
}
