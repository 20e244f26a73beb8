package podlink

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
)

// Exists reports whether the host has a device of that name.
func Exists(name string) (bool, error) {
	conn, err := rtnl.Open()
	if err != nil {
		return false, err
	}
	_, err = find(conn, name)
	if closeErr := conn.Close(); closeErr != nil {
		return false, closeErr
	}
	if errors.Is(err, syscall.ENODEV) {
		return false, nil
	}
	return err == nil, err
}

// Check returns everything in which the link differs from what Make made;
// pod is a descriptor of the pod's namespace. The MTU counts on the host's end:
// the pod's is for other plugins to change.
func (l Link) Check(pod int) error {
	conn, err := rtnl.Open()
	if err != nil {
		return err
	}
	err = l.checkHost(conn)
	return errors.Join(err, conn.Close(), inside(pod, l.checkPod))
}

func (l Link) checkHost(conn *rtnl.Conn) error {
	d, err := l.checkDevice(conn, l.Host, l.HostMAC)
	if err != nil {
		return err
	}
	var want []codec.Route
	for _, a := range l.Addrs {
		want = append(want, toPod(a, d.index))
	}
	return l.checkRoutes(conn, d, want)
}

func (l Link) checkPod() error {
	conn, err := rtnl.Open()
	if err != nil {
		return err
	}
	err = l.checkPodWith(conn)
	return errors.Join(err, conn.Close())
}

func (l Link) checkPodWith(conn *rtnl.Conn) error {
	l.MTU = 0
	d, err := l.checkDevice(conn, l.Pod, l.PodMAC)
	if err != nil {
		return fmt.Errorf("in the pod: %w", err)
	}
	have, err := addresses(conn, d.index)
	if err != nil {
		return err
	}
	for _, a := range l.Addrs {
		if !slices.Contains(have, a) {
			err = errors.Join(err, fmt.Errorf("the pod's %s does not have the address %s", d.name, a))
		}
	}
	var want []codec.Route
	for _, a := range l.families() {
		want = append(want, wayOut(a, d.index, unix.RT_TABLE_MAIN))
	}
	return errors.Join(err, l.checkRoutes(conn, d, want))
}

// checkDevice finds a device and compares what it is like.
func (l Link) checkDevice(conn *rtnl.Conn, name string, mac MAC) (device, error) {
	d, err := find(conn, name)
	switch {
	case err != nil:
		return d, err
	case d.kind != kindVeth:
		return d, fmt.Errorf("device %s is of kind %q, not %s", name, d.kind, kindVeth)
	case !d.up:
		return d, fmt.Errorf("device %s is down", name)
	case d.mac != mac:
		return d, fmt.Errorf("device %s has MAC %s, not %s", name, d.mac, mac)
	case l.MTU != 0 && d.mtu != l.MTU:
		return d, fmt.Errorf("device %s has MTU %d, not %d", name, d.mtu, l.MTU)
	}
	return d, nil
}

func (l Link) checkRoutes(conn *rtnl.Conn, d device, want []codec.Route) error {
	type way struct {
		dst netip.Prefix
		via netip.Addr
	}
	have := map[way]bool{}
	for _, a := range l.families() {
		list, err := routes(conn, a, d.index)
		if err != nil {
			return err
		}
		for _, r := range list {
			have[way{r.Dst, r.Via}] = true
		}
	}
	var missing error
	for _, r := range want {
		if !have[way{r.Dst, r.Via}] {
			missing = errors.Join(missing, fmt.Errorf("there is no route to %s on %s", r.Dst, d.name))
		}
	}
	return missing
}
