package fastpath

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/netstate"
)

// Names of maps and programs in the object.
const (
	remotesMap    = "remotes"
	podsMap       = "pods"
	bridgesMap    = "bridges"
	countsMap     = "counts"
	constantsMap  = ".rodata"
	podProgram    = "weft_pod"
	uplinkProgram = "weft_uplink"
)

// conf is struct conf of bpf/types.h.
type conf struct {
	Mode   uint32
	Uplink uint32
	Local  [4]byte
	VNI    [4]byte
	Port   [2]byte
	MAC    netstate.MAC
	Code   [8]byte
}

// prefix is struct prefix of bpf/types.h, the key of remotes.
type prefix struct {
	Length  uint32
	Address [16]byte
}

// remote is struct remote of bpf/types.h.
type remote struct {
	Host [16]byte
	MAC  netstate.MAC
	MTU  uint16
	Kind uint32
}

// pod is struct pod of bpf/types.h.
type pod struct {
	Ifindex uint32
	MAC     netstate.MAC
	HostMAC netstate.MAC
	MTU     uint32
}

// bridge is struct bridge of bpf/types.h.
type bridge struct {
	Ifindex uint32
	MTU     uint32
}

// shared are the maps that programs hand on to those that take their place.
var shared = []string{remotesMap, podsMap, bridgesMap, countsMap}

// Kinds of remote and modes, of bpf/types.h.
const (
	kindDirect = 1
	kindVXLAN  = 2
)

func keyOf(p netip.Prefix) prefix {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	return prefix{uint32(bits), p.Addr().As16()}
}

func prefixOf(k prefix) netip.Prefix {
	a := netip.AddrFrom16(k.Address)
	if a.Is4In6() {
		return netip.PrefixFrom(a.Unmap(), int(k.Length)-96)
	}
	return netip.PrefixFrom(a, int(k.Length))
}

// objects are programs in the kernel and the maps that they use.
type objects struct{ *ebpf.Collection }

// code is a hash of the programs.
var code = sync.OnceValue(func() [8]byte {
	sum := sha256.Sum256(_ProgramsBytes)
	return [8]byte(sum[:8])
})

// Code tells these programs from those of another version of weft.
func Code() string {
	c := code()
	return hex.EncodeToString(c[:])
}

// load brings programs with the constants c into the kernel. They use those of
// maps that are there already.
func load(c conf, maps map[string]*ebpf.Map) (objects, error) {
	spec, err := loadPrograms()
	if err != nil {
		return objects{}, fmt.Errorf("read weft's own eBPF programs: %w", err)
	}
	if err := spec.Variables["conf"].Set(c); err != nil {
		return objects{}, fmt.Errorf("set the constants of eBPF programs: %w", err)
	}
	all, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: maps})
	if err != nil {
		return objects{}, refused(err)
	}
	return objects{all}, nil
}

// refused says what the kernel's refusal of a program means, where that is known.
func refused(err error) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("load eBPF programs: CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN are needed, in the host's first user namespace: %w", err)
	case errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("load eBPF programs: this kernel is too old: %w", err)
	}
	return fmt.Errorf("load eBPF programs (needs BTF of the kernel, and nf_conntrack with its BPF functions): %w", err)
}
