package fastpath

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/netstate"
)

// Apply carries out ops on rows of netstate.Fast, and returns an error for each.
func (c *Conn) Apply(ops []netstate.Op) []error {
	errs := make([]error, len(ops))
	err := c.do(func() error {
		base, err := c.base()
		if err != nil {
			return err
		}
		a := applier{Conn: c, base: base, maps: map[string]map[string]*ebpf.Map{}}
		defer a.close()
		for i, op := range ops {
			errs[i] = a.apply(op)
		}
		return nil
	})
	for i := range errs {
		errs[i] = errors.Join(errs[i], err)
	}
	return errs
}

type applier struct {
	*Conn
	base string
	maps map[string]map[string]*ebpf.Map // by folder and name
}

func (a *applier) close() {
	for _, maps := range a.maps {
		closeMaps(maps)
	}
}

func (a *applier) dir(path string) string { return filepath.Join(a.base, dirName(path)) }

// open returns a map of a fast path.
func (a *applier) open(path, name string) (*ebpf.Map, error) {
	dir := a.dir(path)
	if a.maps[dir] == nil {
		maps, err := openMaps(dir)
		if err != nil {
			return nil, fmt.Errorf("open the maps of fast path %s: %w", path, err)
		}
		a.maps[dir] = maps
	}
	return a.maps[dir][name], nil
}

func (a *applier) apply(op netstate.Op) error {
	remove := op.Verb == netstate.Remove
	switch r := op.Row.(type) {
	case netstate.FastPath:
		if remove {
			return removeAll(a.dir(r.Name))
		}
		return a.path(r)
	case netstate.FastHook:
		if remove {
			return a.detach(r)
		}
		return a.attach(r)
	case netstate.FastRemote:
		return a.entry(r.Path, remotesMap, remove, keyOf(r.Dst), func() (any, error) { return remoteOf(r), nil })
	case netstate.FastPod:
		return a.entry(r.Path, podsMap, remove, r.Addr.As16(), func() (any, error) { return podOf(r) })
	case netstate.FastBridge:
		return a.entry(r.Path, bridgesMap, remove, keyOf(r.Dst), func() (any, error) { return bridgeOf(r) })
	}
	return fmt.Errorf("%T is no row of a fast path", op.Row)
}

// entry puts or removes an element of a map.
func (a *applier) entry(path, name string, remove bool, key any, value func() (any, error)) error {
	m, err := a.open(path, name)
	if err != nil {
		return err
	}
	if remove {
		if err := m.Delete(key); !errors.Is(err, ebpf.ErrKeyNotExist) {
			return err
		}
		return nil
	}
	v, err := value()
	if err != nil {
		return err
	}
	return m.Put(key, v)
}

func remoteOf(r netstate.FastRemote) remote {
	out := remote{Host: r.Host.As16(), MAC: r.MAC, MTU: uint16(min(r.MTU, 65535)), Kind: kindDirect}
	if r.MAC != (netstate.MAC{}) {
		out.Kind = kindVXLAN
	}
	return out
}

func podOf(p netstate.FastPod) (pod, error) {
	index, err := indexOf(p.Dev)
	return pod{Ifindex: uint32(index), MAC: p.MAC, HostMAC: p.Via, MTU: uint32(p.MTU)}, err
}

func bridgeOf(b netstate.FastBridge) (bridge, error) {
	index, err := indexOf(b.Dev)
	return bridge{Ifindex: uint32(index), MTU: uint32(b.MTU)}, err
}

// indexOf is the index of a device of the calling thread's network namespace.
func indexOf(name string) (int, error) {
	dev, err := net.InterfaceByName(name)
	if err != nil {
		return 0, fmt.Errorf("find device %s: %w", name, unix.ENODEV)
	}
	return dev.Index, nil
}

// confOf returns the constants that p stands for.
func confOf(p netstate.FastPath) (c conf, err error) {
	for mode, name := range modeNames {
		if name == p.Mode {
			c.Mode = mode
		}
	}
	if c.Mode == 0 {
		return c, fmt.Errorf("there is no mode %q", p.Mode)
	}
	if raw, err := hex.DecodeString(p.Code); err != nil || len(raw) != len(c.Code) || [8]byte(raw) != code() {
		return c, fmt.Errorf("this weft has no programs with code %q; it has %s", p.Code, Code())
	}
	c.Code = code()
	index, err := indexOf(p.Dev)
	if err != nil {
		return c, err
	}
	c.Uplink = uint32(index)
	if p.Local.Is4() {
		c.Local, c.MAC = p.Local.As4(), p.MAC
		binary.BigEndian.PutUint32(c.VNI[:], p.VNI<<8)
		binary.BigEndian.PutUint16(c.Port[:], p.Port)
	}
	return c, nil
}

// path makes the programs of p, with new maps if there are none that fit.
// Hooks that stand get the new programs, each from one packet to the next. The
// constants come last: as long as those of before stand, the work is not done.
func (a *applier) path(p netstate.FastPath) error {
	if err := a.mounted(); err != nil {
		return err
	}
	c, err := confOf(p)
	if err != nil {
		return err
	}
	dir := a.dir(p.Name)
	maps, err := openMaps(dir)
	if err != nil {
		if err := removeAll(dir); err != nil { // with the hooks: the kernel's own path takes over
			return err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	defer closeMaps(maps)
	o, err := load(c, maps)
	if err != nil {
		return err
	}
	defer o.Close()
	for _, name := range shared {
		if maps[name] == nil {
			if err := o.Maps[name].Pin(filepath.Join(dir, name)); err != nil {
				return fmt.Errorf("pin map %s: %w", name, err)
			}
		}
	}
	if err := o.takeOver(dir); err != nil {
		return err
	}
	return repin(filepath.Join(dir, constantsPin), o.Maps[constantsMap].Pin)
}

// takeOver pins the programs and attaches them where those before them are.
func (o objects) takeOver(dir string) error {
	pinned := map[string]bool{}
	for point, program := range programOf {
		if !pinned[program] {
			if err := repin(filepath.Join(dir, program), o.Programs[program].Pin); err != nil {
				return err
			}
			pinned[program] = true
		}
		hooks, err := filepath.Glob(filepath.Join(dir, hookPins+"*-"+point))
		if err != nil {
			return err
		}
		for _, pin := range hooks {
			if err := update(pin, o.Programs[program]); err != nil {
				return fmt.Errorf("put new programs in the place of those before, at %s: %w", filepath.Base(pin), err)
			}
		}
	}
	return nil
}

// programOf is the program of each point.
var programOf = map[string]string{
	netstate.FastFromPod: podProgram, netstate.FastAtBridge: podProgram, netstate.FastFromWire: uplinkProgram,
}

// update has a pinned link run another program. One whose device is gone is left.
func update(pin string, p *ebpf.Program) error {
	l, err := link.LoadPinnedLink(pin, nil)
	if err != nil {
		return err
	}
	defer l.Close()
	if info, err := l.Info(); err == nil && info.TCX() != nil && info.TCX().Ifindex == 0 {
		return nil
	}
	return l.Update(p)
}

// repin pins something in the place of what is pinned there.
func repin(place string, pin func(string) error) error {
	if err := ignore(os.Remove(place), fs.ErrNotExist); err != nil {
		return err
	}
	if err := pin(place); err != nil {
		return fmt.Errorf("pin %s: %w", filepath.Base(place), err)
	}
	return nil
}

// attach runs a program behind all others at the ingress of a device.
func (a *applier) attach(h netstate.FastHook) error {
	index, err := indexOf(h.Dev)
	if err != nil {
		return err
	}
	p, err := ebpf.LoadPinnedProgram(filepath.Join(a.dir(h.Path), programOf[h.Point]), nil)
	if err != nil {
		return fmt.Errorf("open the program of fast path %s: %w", h.Path, err)
	}
	defer p.Close()
	pin := filepath.Join(a.dir(h.Path), hookName(index, h.Point))
	if attached(pin, index) {
		return update(pin, p) // it was overlooked, since the path was half made
	}
	if err := ignore(os.Remove(pin), fs.ErrNotExist); err != nil { // of a device that is gone and had the index
		return err
	}
	l, err := link.AttachTCX(link.TCXOptions{Interface: index, Program: p, Attach: ebpf.AttachTCXIngress, Anchor: link.Tail()})
	if err != nil {
		return err
	}
	return errors.Join(l.Pin(pin), l.Close())
}

// unhook detaches a pinned link at once: without its pin alone it would go a
// little later.
func unhook(pin string) error {
	l, err := link.LoadPinnedLink(pin, nil)
	if err != nil {
		return err
	}
	// One whose device is gone is detached already.
	return errors.Join(ignore(l.Detach(), unix.ENOLINK, unix.ENODEV), l.Close(), os.Remove(pin))
}

func ignore(err error, harmless ...error) error {
	for _, h := range harmless {
		if errors.Is(err, h) {
			return nil
		}
	}
	return err
}

// removeAll removes a folder, and first what is attached.
func removeAll(dir string) error {
	pins, err := filepath.Glob(filepath.Join(dir, hookPins+"*"))
	for _, pin := range pins {
		err = errors.Join(err, unhook(pin))
	}
	err = errors.Join(err, os.RemoveAll(dir))
	_ = os.Remove(filepath.Dir(dir)) // unless there are others of this network namespace
	return err
}

// detach removes a hook. With a device that is gone go all that are attached to nothing.
func (a *applier) detach(h netstate.FastHook) error {
	if index, err := indexOf(h.Dev); err == nil {
		return unhook(filepath.Join(a.dir(h.Path), hookName(index, h.Point)))
	}
	pins, err := filepath.Glob(filepath.Join(a.dir(h.Path), hookPins+"*"))
	for _, pin := range pins {
		if index, _, ok := parseHook(filepath.Base(pin)); ok && !attached(pin, index) {
			err = errors.Join(err, os.Remove(pin))
		}
	}
	return err
}
