package fastpath

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Where the kernel keeps what outlives its maker. In a container the host's file
// system is mounted at the second place: profiles of AppArmor that runtimes give to
// containers refuse files below /sys.
const (
	bpffs     = "/sys/fs/bpf"
	hostBPFFS = "/host/sys/fs/bpf"
)

// What is in the folder of a fast path, beside its maps: both programs, the map
// with their constants, and a link for each hook. Names have no dots, which bpffs
// keeps for itself.
const (
	constantsPin = "constants"
	hookPins     = "hook-" // index of the device, and the point
)

// Conn is the fast paths of one network namespace.
type Conn struct {
	do   func(func() error) error // on a thread in the namespace
	root string

	mu  sync.Mutex
	fit bool // this kernel can run the programs: found out once
}

// Open returns the fast paths of the network namespace in which do runs functions.
func Open(do func(func() error) error) *Conn {
	c := &Conn{do: do, root: bpffs}
	if isBPFFS(hostBPFFS) {
		c.root = hostBPFFS
	}
	return c
}

// isBPFFS reports whether a BPF file system is mounted at path.
func isBPFFS(path string) bool {
	var s unix.Statfs_t
	return unix.Statfs(path, &s) == nil && uint32(s.Type) == unix.BPF_FS_MAGIC
}

// base is the folder of the network namespace that the calling thread is in.
// One file system serves all of them, so that it has the namespace's cookie in it.
func (c *Conn) base() (string, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err = errors.Join(err, unix.Close(fd)); err != nil {
		return "", fmt.Errorf("tell this network namespace from others: %w", err)
	}
	return filepath.Join(c.root, "weft", "ns"+strconv.FormatUint(cookie, 10)), nil
}

func dirName(path string) string { return strings.ReplaceAll(path, ".", "_") }
func pathName(dir string) string { return strings.ReplaceAll(dir, "_", ".") }
func hookName(index int, point string) string {
	return hookPins + strconv.Itoa(index) + "-" + point
}

// parseHook reads what hookName wrote.
func parseHook(name string) (index int, point string, ok bool) {
	rest, is := strings.CutPrefix(name, hookPins)
	number, point, has := strings.Cut(rest, "-")
	index, err := strconv.Atoi(number)
	return index, point, is && has && err == nil
}

// mounted makes sure that there is a file system to pin things in.
func (c *Conn) mounted() error {
	if isBPFFS(c.root) {
		return nil
	}
	if err := unix.Mount("bpf", c.root, "bpf", 0, "mode=0700"); err != nil {
		return fmt.Errorf("mount the BPF file system, which keeps programs while the agent is away: %w; mount it with: mount -t bpf bpf %s", err, c.root)
	}
	return nil
}

// absent reports whether err says that there is nothing, or nothing that an
// observer without privileges may see.
func absent(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission)
}
