package kernel

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
)

// link carries out one op on a device.
func (a *applier) link(op netstate.Op) error {
	want := op.Row.(netstate.Link)
	have, found, err := a.devs.named(want.Name)
	if err != nil {
		return err
	}
	if found && have.Foreign() {
		return foreignDevice(have)
	}
	if op.Verb == netstate.Rename && !found {
		return a.renameLink(op.Have.(netstate.Link), want)
	}
	// Whatever happens now, what was known of devices may be wrong.
	defer func() { a.devs = newDevices(a.conn) }()
	switch {
	case op.Verb == netstate.Remove && !found:
		return nil
	case op.Verb == netstate.Remove:
		return a.removeLink(have)
	case found:
		return a.mendLink(have, want)
	case want.Kind == netstate.KindWireGuard:
		return a.makeWireGuard(want)
	}
	return a.makeLink(want)
}

func foreignDevice(have link) error {
	return fmt.Errorf("a device of kind %q has that name and is left alone: rename it, or remove it with: ip link delete %s (%w)",
		have.Kind, have.Name, syscall.EEXIST)
}

func (a *applier) removeLink(have link) error {
	var b rtnl.Batch
	b.Message(unix.RTM_DELLINK, 0, codec.LinkHeader(have.index, 0, 0)...)
	a.own(have.index, "")
	return a.one(&b)
}

// makeLink makes the device with its attributes and only then brings it up, so
// that it never carries packets in another form than the wanted one.
func (a *applier) makeLink(want netstate.Link) error {
	lower, err := a.lower(want)
	if err != nil {
		return err
	}
	var b rtnl.Batch
	b.Message(unix.RTM_NEWLINK, codec.Create, codec.LinkHeader(0, 0, 0)...)
	b.String(unix.IFLA_IFNAME, want.Name)
	if want.MAC != (netstate.MAC{}) {
		b.Bytes(unix.IFLA_ADDRESS, want.MAC[:]...)
	}
	if want.MTU != 0 {
		b.Uint32(unix.IFLA_MTU, uint32(want.MTU))
	}
	encoders[want.Kind](&b, want, lower)
	err = a.one(&b)
	if errors.Is(err, syscall.EEXIST) && a.removeRenamed(want) {
		err = a.one(&b)
	}
	if err != nil {
		return a.whyNot(want, err)
	}
	a.devs = newDevices(a.conn)
	have, found, err := a.devs.named(want.Name)
	if err != nil || !found {
		return errors.Join(err, fmt.Errorf("the device is gone again: %w", syscall.ENODEV))
	}
	// The kernel lowers an MTU that does not fit without a word; asking again
	// brings the error to light.
	return a.mendLink(have, want)
}

// removeRenamed removes the device that want was until somebody gave it
// another name: it has the same VNI and port, and the MAC that is this host's
// alone. It reports whether there was one.
func (a *applier) removeRenamed(want netstate.Link) bool {
	if want.Kind != netstate.KindVXLAN {
		return false
	}
	tunnels, err := readLinks(a.conn, netstate.KindVXLAN)
	if err != nil {
		return false
	}
	i := slices.IndexFunc(tunnels, func(l link) bool {
		return l.VNI == want.VNI && l.Port == want.Port && l.MAC == want.MAC && l.Local.Is6() == want.Local.Is6()
	})
	return i >= 0 && a.removeLink(tunnels[i]) == nil
}

func (a *applier) lower(want netstate.Link) (int32, error) {
	if encoders[want.Kind] == nil {
		return 0, fmt.Errorf("devices of kind %q cannot be made, only %s", want.Kind, slices.Sorted(maps.Keys(encoders)))
	}
	if want.Dev == "" {
		return 0, nil
	}
	return a.devs.index(want.Dev)
}

// encoders put what a device of a kind is made from.
var encoders = map[string]func(b *rtnl.Batch, want netstate.Link, lower int32){
	netstate.KindVXLAN: encodeVXLAN,
	netstate.KindIPIP:  encodeIPIP,
}

func encodeVXLAN(b *rtnl.Batch, want netstate.Link, lower int32) {
	info := b.Nest(unix.IFLA_LINKINFO)
	b.String(unix.IFLA_INFO_KIND, netstate.KindVXLAN)
	data := b.Nest(unix.IFLA_INFO_DATA)
	b.Uint32(unix.IFLA_VXLAN_ID, want.VNI)
	switch {
	case want.Local.Is4():
		b.Addr(unix.IFLA_VXLAN_LOCAL, want.Local)
	case want.Local.Is6():
		b.Addr(unix.IFLA_VXLAN_LOCAL6, want.Local)
	}
	if lower != 0 {
		b.Uint32(unix.IFLA_VXLAN_LINK, uint32(lower))
	}
	if want.Port != 0 {
		b.Uint16BE(unix.IFLA_VXLAN_PORT, want.Port)
	}
	var learning uint8
	if want.Learning {
		learning = 1
	}
	b.Uint8(unix.IFLA_VXLAN_LEARNING, learning)
	if want.GBP {
		b.Flag(unix.IFLA_VXLAN_GBP)
	}
	b.End(data)
	b.End(info)
}

// mendLink changes what can be changed in place.
func (a *applier) mendLink(have link, want netstate.Link) error {
	a.own(have.index, want.Name)
	var b rtnl.Batch
	if want.Kind == netstate.KindWireGuard {
		if err := a.configure(have, want); err != nil {
			return err
		}
	}
	if have.MTU != want.MTU {
		b.Message(unix.RTM_NEWLINK, 0, codec.LinkHeader(have.index, 0, 0)...)
		b.Uint32(unix.IFLA_MTU, uint32(want.MTU))
		if err := a.one(&b); err != nil {
			return fmt.Errorf("set its MTU to %d: %w", want.MTU, err)
		}
	}
	if have.MAC != want.MAC {
		b.Reset()
		b.Message(unix.RTM_NEWLINK, 0, codec.LinkHeader(have.index, 0, 0)...)
		b.Bytes(unix.IFLA_ADDRESS, want.MAC[:]...)
		if err := a.one(&b); err != nil {
			return fmt.Errorf("set its MAC to %s: %w", want.MAC, err)
		}
	}
	if have.VRF != want.VRF && want.VRF != "" { // only of a device that was just made
		b.Reset()
		b.Message(unix.RTM_NEWLINK, 0, codec.LinkHeader(have.index, 0, 0)...)
		b.Bytes(unix.IFLA_IFALIAS, []byte(vrfAlias+want.VRF)...)
		if err := a.one(&b); err != nil {
			return fmt.Errorf("note the VRF %s of its lower device: %w", want.VRF, err)
		}
	}
	if have.Up == want.Up {
		return nil
	}
	b.Reset()
	codec.EncodeUp(&b, have.index, want.Up)
	if err := a.one(&b); err != nil {
		return fmt.Errorf("set it up or down: %w", a.whyNot(want, err))
	}
	return nil
}

// whyNot adds to the kernel's refusal to make a device or bring it up what
// stands in the way.
func (a *applier) whyNot(want netstate.Link, err error) error {
	if !errors.Is(err, syscall.EEXIST) && !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	tunnels, listErr := readLinks(a.conn, want.Kind)
	if listErr != nil {
		return errors.Join(err, listErr)
	}
	for _, l := range tunnels {
		if want.Kind == netstate.KindIPIP && l.Local == want.Local && l.Name != want.Name {
			return fmt.Errorf("device %s has the tunnel from %s to any host already; remove it with: ip link delete %s (%w)", l.Name, l.Local, l.Name, err)
		}
		same := l.VNI == want.VNI || errors.Is(err, syscall.EADDRINUSE)
		if same && l.Name != want.Name && l.Port == want.Port && l.Local.Is6() == want.Local.Is6() {
			return fmt.Errorf("device %s has VNI %d on UDP port %d already; remove it with: ip link delete %s, or choose another VNI and port (%w)",
				l.Name, l.VNI, l.Port, l.Name, err)
		}
	}
	return err
}

// one carries out the only message of b.
func (a *applier) one(b *rtnl.Batch) error {
	for _, f := range a.conn.Exec(b) {
		return f.Err
	}
	return nil
}

// own notes that the device with an index is ours and has a name, or is gone
// if the name is empty.
func (a *applier) own(index int32, name string) {
	if a.view.own[index] == name {
		return
	}
	own := maps.Clone(a.view.own)
	if own == nil {
		own = map[int32]string{}
	}
	own[index] = name
	if name == "" {
		delete(own, index)
	}
	a.view = &view{scope: a.view.scope, own: own}
	a.Kernel.view.Store(a.view)
}
