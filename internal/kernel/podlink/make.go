package podlink

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
)

// Make makes the link between the calling thread's network namespace and the
// one that pod is a descriptor of. If it fails, nothing is left of it.
// A name, a pod's interface or an address that is in use already is an error
// for which errors.Is(err, syscall.EEXIST) holds, and stays as it is.
//
// It returns the gateways, one a family, by which the pod reaches all that it
// has no other route to: none where it had a way out before, which stays.
func (l Link) Make(pod int) (out []netip.Addr, err error) {
	host, err := rtnl.Open()
	if err != nil {
		return nil, err
	}
	out, err = l.make(host, pod)
	return out, errors.Join(err, host.Close())
}

func (l Link) make(host *rtnl.Conn, pod int) (out []netip.Addr, err error) {
	var b rtnl.Batch
	l.encodeVeth(&b, pod)
	if err := exec(host, &b); err != nil {
		return nil, fmt.Errorf("make the pair of devices %s and %s: %w", l.Host, l.Pod, err)
	}
	err = l.configureHost(host)
	if err == nil {
		err = inside(pod, func() (err error) { out, err = l.configurePod(); return err })
	}
	if err != nil {
		return nil, errors.Join(err, remove(host, l.Host), RemoveRules(pod, l.Addrs))
	}
	return out, nil
}

// configureHost brings the host's end up and routes the pod's addresses to it.
func (l Link) configureHost(conn *rtnl.Conn) error {
	d, err := find(conn, l.Host)
	if err != nil {
		return err
	}
	if err := l.setHost6(); err != nil {
		return err
	}
	var b rtnl.Batch
	l.encodeTraits(&b, d.index)
	codec.EncodeUp(&b, d.index, true)
	if l.has6() {
		encodeAddr(&b, gateway6, 64, d.index)
	}
	for _, a := range l.Addrs {
		encodeLearned(&b, a, l.PodMAC, d.index)
	}
	if err := exec(conn, &b); err != nil {
		return fmt.Errorf("set up %s: %w", l.Host, err)
	}
	for _, a := range l.Addrs {
		b.Reset()
		codec.EncodeRoute(&b, codec.Create, toPod(a, d.index))
		if err := exec(conn, &b); err != nil {
			return fmt.Errorf("route %s to %s: %w", a, l.Host, err)
		}
	}
	return nil
}

// configurePod gives the pod's end, in the calling thread's namespace, its
// addresses and, unless the pod has one, the way out.
func (l Link) configurePod() (out []netip.Addr, err error) {
	if err := l.setPod6(); err != nil {
		return nil, err
	}
	conn, err := rtnl.Open()
	if err != nil {
		return nil, err
	}
	out, err = l.address(conn)
	return out, errors.Join(err, conn.Close())
}

func (l Link) address(conn *rtnl.Conn) (out []netip.Addr, err error) {
	d, err := find(conn, l.Pod)
	if err != nil {
		return nil, err
	}
	var b rtnl.Batch
	encodeNotify(&b, d.index)
	codec.EncodeUp(&b, d.index, true)
	for _, a := range l.Addrs {
		encodeAddr(&b, a, a.BitLen(), d.index)
	}
	for _, a := range l.families() {
		encodeNeigh(&b, Gateway(a), l.HostMAC, d.index)
		if a.Is4() { // the gateway of IPv6 is link-local, which is on-link everywhere
			codec.EncodeRoute(&b, codec.Create, toGateway(a, d.index))
		}
	}
	if err := exec(conn, &b); err != nil {
		return nil, fmt.Errorf("set up the pod's %s: %w", l.Pod, err)
	}
	for _, a := range l.families() {
		is, err := l.lead(conn, a, d.index)
		if err != nil {
			return nil, fmt.Errorf("lead the pod out by %s: %w", l.Pod, err)
		}
		if is {
			out = append(out, Gateway(a))
		}
	}
	return out, nil
}

// Remove removes the link whose end on the host has the name, with all that
// stands on it. One that is not there is no error; a device that is no veth
// is one.
func Remove(name string) error {
	conn, err := rtnl.Open()
	if err != nil {
		return err
	}
	d, err := find(conn, name)
	switch {
	case errors.Is(err, syscall.ENODEV):
		err = nil
	case err == nil && d.kind != kindVeth:
		err = fmt.Errorf("remove %s: it is a device of kind %q and not a pod's", name, d.kind)
	case err == nil:
		err = remove(conn, name)
	}
	return errors.Join(err, conn.Close())
}

func remove(conn *rtnl.Conn, name string) error {
	var b rtnl.Batch
	b.Message(unix.RTM_DELLINK, 0, codec.LinkHeader(0, 0, 0)...)
	b.String(unix.IFLA_IFNAME, name)
	if err := exec(conn, &b); err != nil && !errors.Is(err, syscall.ENODEV) {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

// exec carries out the messages of b and returns the first failure.
func exec(conn *rtnl.Conn, b *rtnl.Batch) error {
	for _, f := range conn.Exec(b) {
		return f.Err
	}
	return nil
}
