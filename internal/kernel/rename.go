package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// knownAs returns the name of a device: of a tunnel that is up and was given
// its plain name on a kernel before 6.2, the alternative one.
func knownAs(l codec.Link) string {
	if l.Kind == netstate.KindVXLAN && owned.IsSpareDeviceName(l.Name) {
		if i := slices.IndexFunc(l.Alt, owned.IsDeviceName); i >= 0 {
			return l.Alt[i]
		}
	}
	return l.Name
}

// renameLink gives a device another name while it carries packets. Kernels
// before 6.2 do not rename a device that is up (IFF_LIVE_RENAME_OK of
// linux/netdevice.h is for few kinds); there the name becomes an alternative
// one, by which the kernel and programs find the device all the same. That
// cannot free the name that it had: a device whose name another one needs is
// removed, and both are made anew. So is one on kernels before 5.5, which have
// no alternative names.
func (a *applier) renameLink(from, to netstate.Link) error {
	defer func() { a.devs = newDevices(a.conn) }()
	have, found, err := a.devs.named(from.Name)
	if err != nil || !found {
		return errors.Join(err, fmt.Errorf("there is no device %s: %w", from.Name, syscall.ENODEV))
	}
	a.own(have.index, to.Name)
	var b rtnl.Batch
	b.Message(unix.RTM_NEWLINK, 0, codec.LinkHeader(have.index, 0, 0)...)
	b.String(unix.IFLA_IFNAME, to.Name)
	if err = a.one(&b); !errors.Is(err, syscall.EBUSY) {
		return err
	}
	if owned.IsSpareDeviceName(have.kernelName) && have.kernelName == have.Name {
		b.Reset()
		codec.EncodeAltName(&b, have.index, to.Name, false)
		if a.one(&b) == nil {
			return nil
		}
	}
	return errors.Join(err, a.removeLink(have))
}

// parameter returns the path of a kernel parameter below /proc/sys: that of a
// device has the kernel's name for it. The error is fs.ErrNotExist if that
// device is known by another name.
func (d *devices) parameter(name string) (string, error) {
	part := strings.Split(name, "/") // net/ipv6/conf/DEVICE/accept_ra
	if len(part) < 5 || part[2] != "conf" || !owned.IsDeviceName(part[3]) {
		return name, nil
	}
	l, found, err := d.named(part[3])
	if err != nil || !found {
		return name, err
	}
	if l.Name != part[3] {
		return "", fmt.Errorf("%s is the device %s: %w", part[3], l.Name, fs.ErrNotExist)
	}
	part[3] = l.kernelName
	return strings.Join(part, "/"), nil
}
