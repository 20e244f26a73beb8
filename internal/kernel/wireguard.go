package kernel

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/kernel/wg"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/wgkey"
)

// WireGuard is what WireGuard devices need beside the kernel. Without it they can be
// looked at and removed, those in user space as far as the kernel knows them.
type WireGuard struct {
	Dir  string      // of the control sockets of devices in user space
	Keys *wgkey.Ring // the secrets that rows name

	// Start starts the process that makes a device in user space and carries it, in the
	// calling thread's network namespace, and returns when the process answers.
	Start func(device, socket string) error

	UserSpace bool // also where the kernel has WireGuard
}

// UseWireGuard says what WireGuard devices need. It must be called before the first
// other method.
func (k *Kernel) UseWireGuard(w WireGuard) { k.wg = w }

// UserSpace reports whether a process in user space carries a WireGuard device of ours,
// as it was seen last. It waits for nothing.
func (k *Kernel) UserSpace(device string) bool {
	carried, _ := k.carried.Load(device)
	return carried == true
}

// fresh is how old the last handshake of a peer may be that still is heard from: after that
// no packet is encrypted with its keys (Reject-After-Time of WireGuard).
const fresh = 180 * time.Second

// readWireGuard returns the settings of a device, wg.ErrAbsent if nobody answers for it.
func (k *Kernel) readWireGuard(l link) (d *wgtypes.Device, err error) {
	if l.userSpace {
		return wg.ReadUser(wg.Socket(k.wg.Dir, l.Name))
	}
	err = k.ns.do(func() error {
		d, err = wg.Read(l.Name)
		return err
	})
	return d, err
}

// writeWireGuard changes the settings of a device.
func (k *Kernel) writeWireGuard(l link, change wgtypes.Config) error {
	write := func() error { return wg.Write(l.Name, change) }
	if l.userSpace {
		write = func() error { return wg.WriteUser(wg.Socket(k.wg.Dir, l.Name), change) }
	}
	err := k.ns.do(write)
	if err == nil {
		k.ends.note(l.Name, change)
	}
	return err
}

// withKey returns the row of a device with the port and the key that d has.
func withKey(row netstate.Link, d *wgtypes.Device) netstate.Link {
	row.Port = uint16(d.ListenPort)
	if d.PrivateKey != (wgtypes.Key{}) {
		row.Key = netstate.WGKey(d.PublicKey)
	}
	return row
}

// makeWireGuard makes the device: the kernel's if it has WireGuard, else one that a
// process of its own carries.
func (a *applier) makeWireGuard(want netstate.Link) error {
	err := error(syscall.EOPNOTSUPP)
	if !a.Kernel.wg.UserSpace {
		var b rtnl.Batch
		b.Message(unix.RTM_NEWLINK, codec.Create, codec.LinkHeader(0, 0, 0)...)
		b.String(unix.IFLA_IFNAME, want.Name)
		info := b.Nest(unix.IFLA_LINKINFO)
		b.String(unix.IFLA_INFO_KIND, netstate.KindWireGuard)
		b.End(info)
		err = a.one(&b)
	}
	if errors.Is(err, syscall.EOPNOTSUPP) {
		err = a.start(want.Name)
	}
	if err != nil {
		return err
	}
	a.devs = newDevices(a.conn)
	have, found, err := a.devs.named(want.Name)
	if err != nil || !found {
		return errors.Join(err, fmt.Errorf("the device is gone again: %w", syscall.ENODEV))
	}
	a.carried.Store(want.Name, have.userSpace)
	return a.mendLink(have, want)
}

// start starts the process of a device in user space.
func (a *applier) start(device string) error {
	if a.Kernel.wg.Start == nil {
		return fmt.Errorf("this kernel has no WireGuard: %w", syscall.EOPNOTSUPP)
	}
	a.log.Info("the kernel has no WireGuard; a process in user space carries the device", "device", device)
	return a.ns.do(func() error { return a.Kernel.wg.Start(device, wg.Socket(a.Kernel.wg.Dir, device)) })
}

// configure gives a device its key and its port. A process that has ended is started again.
func (a *applier) configure(have link, want netstate.Link) error {
	d, err := a.readWireGuard(have)
	if errors.Is(err, wg.ErrAbsent) && have.userSpace {
		if err = a.start(want.Name); err == nil {
			d, err = a.readWireGuard(have)
		}
	}
	if err != nil {
		return err
	}
	var change wgtypes.Config
	if netstate.WGKey(d.PublicKey) != want.Key || d.PrivateKey == (wgtypes.Key{}) {
		private, known := a.Kernel.wg.key(want.Key)
		if !known {
			return fmt.Errorf("the private key for %s is not in the state directory", want.Key)
		}
		change.PrivateKey = &private
	}
	if d.ListenPort != int(want.Port) {
		port := int(want.Port)
		change.ListenPort = &port
	}
	if change.PrivateKey == nil && change.ListenPort == nil {
		return nil
	}
	return a.writeWireGuard(have, change)
}

func (w WireGuard) key(public netstate.WGKey) (wgtypes.Key, bool) {
	if w.Keys == nil {
		return wgtypes.Key{}, false
	}
	k, known := w.Keys.Private(public)
	return wgtypes.Key(k), known
}

func (w WireGuard) psk(fingerprint string) (wgtypes.Key, bool) {
	if fingerprint == "" {
		return wgtypes.Key{}, true
	}
	if w.Keys == nil {
		return wgtypes.Key{}, false
	}
	k, known := w.Keys.Preshared(fingerprint)
	return wgtypes.Key(k), known
}
