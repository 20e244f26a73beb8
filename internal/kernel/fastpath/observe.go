package fastpath

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/weft-net/weft/internal/netstate"
)

// Observe returns the fast paths of the namespace that are the agent's: owns
// tells by the name and by the subnets and pods that one knows.
func (c *Conn) Observe(owns func(name string, about []netip.Prefix) bool) (out netstate.FastBuilder, err error) {
	err = c.do(func() error {
		base, err := c.base()
		if err != nil {
			return err
		}
		entries, err := os.ReadDir(base)
		if err != nil {
			return err
		}
		for _, e := range entries {
			one, err := observe(filepath.Join(base, e.Name()), pathName(e.Name()))
			if err != nil {
				return fmt.Errorf("read fast path %s: %w", pathName(e.Name()), err)
			}
			if owns(pathName(e.Name()), about(one)) {
				out.Paths, out.Remotes = append(out.Paths, one.Paths...), append(out.Remotes, one.Remotes...)
				out.Pods, out.Bridges = append(out.Pods, one.Pods...), append(out.Bridges, one.Bridges...)
				out.Hooks = append(out.Hooks, one.Hooks...)
			}
		}
		return nil
	})
	if absent(err) {
		return netstate.FastBuilder{}, nil
	}
	return out, err
}

func about(b netstate.FastBuilder) (out []netip.Prefix) {
	for _, r := range b.Remotes {
		out = append(out, r.Dst)
	}
	for _, p := range b.Pods {
		out = append(out, netip.PrefixFrom(p.Addr, p.Addr.BitLen()))
	}
	for _, br := range b.Bridges {
		out = append(out, br.Dst)
	}
	return out
}

// observe reads one folder. What is of another layout, or half made, is a fast
// path without code, which is made anew.
func observe(dir, name string) (netstate.FastBuilder, error) {
	out := netstate.FastBuilder{Paths: []netstate.FastPath{{Name: name, Mode: "unknown", Dev: "unknown", Code: "none"}}}
	c, err := readConf(dir)
	if err != nil {
		return out, ignoreAbsent(err)
	}
	maps, err := openMaps(dir)
	if err != nil {
		return out, ignoreAbsent(err)
	}
	defer closeMaps(maps)
	out.Paths[0] = pathOf(name, c)
	if out.Remotes, err = readRemotes(maps[remotesMap], name); err != nil {
		return out, err
	}
	if out.Pods, err = readPods(maps[podsMap], name); err != nil {
		return out, err
	}
	if out.Bridges, err = readBridges(maps[bridgesMap], name); err != nil {
		return out, err
	}
	out.Hooks, err = readHooks(dir, name)
	return out, err
}

// ignoreAbsent returns err unless it says that a part is missing or of another form.
func ignoreAbsent(err error) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, errLayout) {
		return nil
	}
	return err
}

var errLayout = errors.New("made by another version of weft")

// readConf returns the constants of the programs in a folder.
func readConf(dir string) (c conf, err error) {
	m, err := ebpf.LoadPinnedMap(filepath.Join(dir, constantsPin), &ebpf.LoadPinOptions{ReadOnly: true})
	if err != nil {
		return c, err
	}
	defer m.Close()
	if int(m.ValueSize()) != binary.Size(c) {
		return c, errLayout
	}
	return c, m.Lookup(uint32(0), &c)
}

// openMaps opens the maps of a folder that programs of this version can use.
func openMaps(dir string) (map[string]*ebpf.Map, error) {
	spec, err := loadPrograms()
	if err != nil {
		return nil, err
	}
	out := map[string]*ebpf.Map{}
	for _, name := range shared {
		m, err := ebpf.LoadPinnedMap(filepath.Join(dir, name), nil)
		if err == nil {
			out[name] = m
			if spec.Maps[name].Compatible(m) != nil {
				err = errLayout
			}
		}
		if err != nil {
			closeMaps(out)
			return nil, err
		}
	}
	return out, nil
}

func closeMaps(maps map[string]*ebpf.Map) {
	for _, m := range maps {
		_ = m.Close() // only read
	}
}

func pathOf(name string, c conf) netstate.FastPath {
	p := netstate.FastPath{Name: name, Mode: modeNames[c.Mode], Dev: deviceName(int(c.Uplink)), Code: hex.EncodeToString(c.Code[:])}
	if c.Local != [4]byte{} {
		p.Local, p.MAC = netip.AddrFrom4(c.Local), c.MAC
		p.VNI, p.Port = binary.BigEndian.Uint32(c.VNI[:])>>8, binary.BigEndian.Uint16(c.Port[:])
	}
	return p
}

var modeNames = map[uint32]string{modeAll: netstate.FastAll, modeEstablished: netstate.FastEstablished}

// deviceName names a device of the calling thread's namespace; one that is gone
// by its index.
func deviceName(index int) string {
	dev, err := net.InterfaceByIndex(index)
	if err != nil {
		return "index-" + strconv.Itoa(index)
	}
	return dev.Name
}

func readRemotes(m *ebpf.Map, path string) (out []netstate.FastRemote, err error) {
	var k prefix
	var v remote
	for all := m.Iterate(); all.Next(&k, &v); {
		r := netstate.FastRemote{Path: path, Dst: prefixOf(k), Host: netip.AddrFrom16(v.Host).Unmap(), MTU: int(v.MTU)}
		if v.Kind == kindVXLAN {
			r.MAC = v.MAC
		}
		out = append(out, r)
		err = all.Err()
	}
	return out, err
}

func readPods(m *ebpf.Map, path string) (out []netstate.FastPod, err error) {
	var k [16]byte
	var v pod
	all := m.Iterate()
	for all.Next(&k, &v) {
		out = append(out, netstate.FastPod{
			Path: path, Addr: netip.AddrFrom16(k).Unmap(), Dev: deviceName(int(v.Ifindex)), MAC: v.MAC, Via: v.HostMAC, MTU: int(v.MTU),
		})
	}
	return out, all.Err()
}

func readBridges(m *ebpf.Map, path string) (out []netstate.FastBridge, err error) {
	var k prefix
	var v bridge
	all := m.Iterate()
	for all.Next(&k, &v) {
		out = append(out, netstate.FastBridge{Path: path, Dst: prefixOf(k), Dev: deviceName(int(v.Ifindex)), MTU: int(v.MTU)})
	}
	return out, all.Err()
}

// readHooks lists the links of a folder. One whose device is gone is there under
// its index, so that it goes.
func readHooks(dir, path string) (out []netstate.FastHook, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		index, point, ok := parseHook(e.Name())
		if !ok {
			continue
		}
		dev := "index-" + strconv.Itoa(index)
		if attached(filepath.Join(dir, e.Name()), index) {
			dev = deviceName(index)
		}
		out = append(out, netstate.FastHook{Path: path, Dev: dev, Point: point})
	}
	return out, nil
}

// attached reports whether a pinned link is attached to the device.
func attached(pin string, index int) bool {
	l, err := link.LoadPinnedLink(pin, nil)
	if err != nil {
		return false
	}
	defer l.Close()
	info, err := l.Info()
	return err == nil && info.TCX() != nil && int(info.TCX().Ifindex) == index
}
