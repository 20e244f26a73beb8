// Command guest is /init of the guests that run tests on another kernel: it
// mounts what programs expect, loads modules, runs test binaries one after the
// other with their output on the console, and powers off.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/test/kernels/suite"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "this is /init of a guest: see test/kernels")
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Println("weft-guest:", err)
	} else {
		fmt.Println(suite.Done)
	}
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func run() error {
	if err := prepare(); err != nil {
		return err
	}
	text, err := os.ReadFile(suite.File)
	if err != nil {
		return err
	}
	plan, err := suite.Decode(text)
	if err != nil {
		return fmt.Errorf("read %s: %w", suite.File, err)
	}
	for _, module := range plan.Modules {
		// A module of another kernel's may be built in here, or not exist; the tests tell.
		_ = exec.Command("/usr/sbin/modprobe", "-q", module).Run()
	}
	if err := enlargeQueues(); err != nil {
		return err
	}
	boot := os.Getenv(suite.BootVariable)
	if err := mountDisk(boot); err != nil {
		return err
	}
	for _, s := range plan.Suites {
		if strconv.Itoa(s.Boot) == boot {
			runSuite(s, plan)
		}
	}
	return unmountDisk()
}

// enlargeQueues gives a processor a longer queue of packets that arrive: one
// that is emulated may stand still while another sends.
func enlargeQueues() error {
	return os.WriteFile("/proc/sys/net/core/netdev_max_backlog", []byte("20000"), 0o644)
}

const diskDevice = "/dev/vda"

// mountDisk mounts the disk, if there is one, which has no file system before
// the first boot.
func mountDisk(boot string) error {
	if _, err := os.Stat(diskDevice); err != nil {
		return nil // the test that needs it tells
	}
	if boot == "1" {
		if out, err := exec.Command("/usr/sbin/mke2fs", "-q", "-t", "ext4", diskDevice).CombinedOutput(); err != nil {
			return fmt.Errorf("make a file system on %s: %w\n%s", diskDevice, err, out)
		}
	}
	return unix.Mount(diskDevice, suite.Disk, "ext4", 0, "")
}

func unmountDisk() error {
	if err := unix.Unmount(suite.Disk, 0); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("unmount %s: %w", suite.Disk, err)
	}
	return nil
}

// prepare makes an ordinary system out of an initramfs.
func prepare() error {
	for _, v := range [][2]string{{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin:/busybox"}, {"HOME", "/root"}, {"TMPDIR", "/tmp"}} {
		if err := os.Setenv(v[0], v[1]); err != nil {
			return err
		}
	}
	for _, m := range []struct{ kind, at, options string }{
		{"proc", "/proc", ""}, {"sysfs", "/sys", ""}, {"devtmpfs", "/dev", ""}, {"tmpfs", "/run", "mode=0755"},
		{"tmpfs", "/tmp", "mode=1777"}, {"tmpfs", "/var/lib", "mode=0755"}, {"devpts", "/dev/pts", ""}, {"cgroup2", "/sys/fs/cgroup", ""},
	} {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.at, m.kind, 0, m.options); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.kind, m.at, err)
		}
	}
	for link, target := range map[string]string{"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0", "/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(target, link); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return errors.Join(unix.Sethostname([]byte("guest")),
		exec.Command("/usr/bin/busybox", "--install", "-s", "/busybox").Run())
}

// runSuite runs a test binary; the runner reads from the console how it went.
func runSuite(s suite.Suite, plan suite.Plan) {
	fmt.Println(suite.Begin + s.Package)
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), plan.Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.Binary, s.Args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = filepath.Clean(s.Dir), os.Stdout, os.Stdout
	cmd.Env = append(os.Environ(), plan.Env...)
	err := cmd.Run()
	code := cmd.ProcessState.ExitCode()
	if err != nil && cmd.ProcessState == nil {
		fmt.Println(err)
	}
	fmt.Printf("%s%s %d %.1f\n", suite.End, s.Package, code, time.Since(start).Seconds())
}
