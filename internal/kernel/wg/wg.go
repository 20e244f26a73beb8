// Package wg reads and writes the settings of WireGuard devices: the kernel's own by
// generic netlink, those of a process in user space by its control socket, which
// speaks the same protocol as that of wg(8). It must not decide what they
// should be, and must not put a secret into an error.
package wg

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.zx2c4.com/wireguard/wgctrl"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"
)

// ErrAbsent says that nobody answers for the device: the kernel has no WireGuard, or its
// process in user space has ended.
var ErrAbsent = errors.New("no WireGuard answers for the device")

// Socket returns the path of the control socket of a device in user space.
func Socket(dir, device string) string { return filepath.Join(dir, device+".sock") }

// Read returns the settings of the kernel's device in the calling thread's network
// namespace.
func Read(device string) (d *wgtypes.Device, err error) {
	err = with(func(c *wgctrl.Client) error {
		d, err = c.Device(device)
		return err
	})
	return d, err
}

// Write changes the settings of the kernel's device in the calling thread's network
// namespace.
func Write(device string, change wgtypes.Config) error {
	return with(func(c *wgctrl.Client) error { return c.ConfigureDevice(device, change) })
}

func with(f func(*wgctrl.Client) error) error {
	c, err := wgctrl.New()
	if err != nil {
		return fmt.Errorf("open the kernel's WireGuard: %w", err)
	}
	defer func() { _ = c.Close() }() // nothing was written to it that has not been answered
	err = f(c)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrAbsent
	}
	return err
}
