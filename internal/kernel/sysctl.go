package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netstate"
)

const procSys = "/proc/sys"

// hostProcSys is where a container that may change the host's parameters has
// them, beside a /proc/sys that its runtime mounts read-only. weft's manifest
// for Kubernetes mounts /proc/sys/net there.
const hostProcSys = "/host/proc/sys"

// sysctls reads the parameters in scope. One that the kernel does not have is
// left out.
func (o *observer) sysctls() error {
	if len(o.scope.Sysctls) == 0 {
		return nil
	}
	return o.ns.do(func() error {
		o.state.Sysctls = nil
		for _, name := range o.scope.Sysctls {
			path, err := o.devs.parameter(name)
			value := ""
			if err == nil {
				value, err = readSysctl(path)
			}
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			o.state.Sysctls = append(o.state.Sysctls, netstate.Sysctl{Name: name, Value: value})
		}
		return nil
	})
}

func readSysctl(name string) (string, error) {
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("%q is not the name of a kernel parameter", name)
	}
	raw, err := os.ReadFile(filepath.Join(procSys, name))
	if err != nil {
		return "", fmt.Errorf("read kernel parameter %s: %w", name, err)
	}
	return strings.Join(strings.Fields(string(raw)), " "), nil
}

// Params implements host.Source.
func (k *Kernel) Params(_ context.Context, names []string) (host.Params, error) {
	found := host.Params{}
	err := k.ns.do(func() error {
		for _, name := range names {
			if value, err := readSysctl(name); err == nil {
				found[name] = value
			}
		}
		return nil
	})
	return found, err
}

// setSysctl writes a parameter, which the kernel has at path, if it has another
// value, and makes sure that the kernel took it. A value that another program
// has written since known was found stays for now: it is what 'weft clean' puts
// back, and so has to be seen first.
func setSysctl(want, known netstate.Sysctl, path string) error {
	have, err := readSysctl(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w (does the device or the kernel module exist?)", err)
	}
	if err != nil || want.Allows(have) {
		return err
	}
	if known.Name != "" && !known.Allows(have) {
		return fmt.Errorf("another program has set it to %q meanwhile", have)
	}
	if err := writeSysctl(path, want.Value); err != nil {
		return fmt.Errorf("%w%s", err, sysctlHint(err, want))
	}
	have, err = readSysctl(path)
	if err == nil && have != want.Value {
		err = fmt.Errorf("the kernel keeps the value %q", have)
	}
	return err
}

func writeSysctl(path, value string) error {
	err := os.WriteFile(filepath.Join(procSys, path), []byte(value), 0)
	if errors.Is(err, syscall.EROFS) && os.WriteFile(filepath.Join(hostProcSys, path), []byte(value), 0) == nil {
		return nil
	}
	return err
}

func sysctlHint(err error, want netstate.Sysctl) string {
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Sprintf(": %s is mounted read-only here; set %s=%s on the host, or mount the host's %s/net at %s/net in the container",
			procSys, want.Name, want.Value, procSys, hostProcSys)
	case errors.Is(err, syscall.EACCES):
		return ": root or CAP_NET_ADMIN is needed"
	}
	return ""
}
