package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/weft-net/weft/test/kernels/debian"
	"github.com/weft-net/weft/test/kernels/suite"
)

// machine is a virtual machine of one architecture.
type machine struct {
	program string
	args    []string
	console string // the kernel's name of the serial line
}

var machines = map[string]machine{
	"amd64": {"qemu-system-x86_64", []string{"-M", "q35"}, "ttyS0"},
	"arm64": {"qemu-system-aarch64", []string{"-M", "virt", "-cpu", "max,pauth-impdef=on"}, "ttyAMA0"},
	"s390x": {"qemu-system-s390x", []string{"-M", "s390-ccw-virtio", "-cpu", "max"}, "ttysclp0"},
}

// runIn runs the suites in guests with kernel k, boot after boot, and prints
// how they went.
func (b *base) runIn(ctx context.Context, m machine, k debian.Kernel, r *report) error {
	fmt.Printf("# linux %s %s\n", k.Version, b.arch)
	file := filepath.Join(b.work, k.Version+".cpio")
	if err := b.image(file, k); err != nil {
		return err
	}
	defer func() { _ = os.Remove(file) }()
	log, err := os.Create(filepath.Join(b.work, k.Version+".log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	start := time.Now()
	g := guest{kernel: k.Image, initrd: file, disk: filepath.Join(b.work, k.Version+".disk"), limit: b.limit}
	if err := g.newDisk(); err != nil {
		return err
	}
	defer func() { _ = os.Remove(g.disk) }()
	var used time.Duration
	for boot := 1; ctx.Err() == nil && slices.ContainsFunc(b.suites, func(s suite.Suite) bool { return s.Boot == boot }); boot++ {
		r.boots(b.suites, boot)
		took, ended := m.boot(ctx, g, boot, func(line string) {
			_, _ = fmt.Fprintln(log, line)
			r.line(line)
		})
		used += took
		err = errors.Join(err, ended, r.verdict())
	}
	if err != nil {
		return fmt.Errorf("%w\nthe whole console is in %s", err, log.Name())
	}
	fmt.Printf("# linux %s: all passed in %.0fs, %.0fs of a processor's time\n", k.Version, time.Since(start).Seconds(), used.Seconds())
	return nil
}

// guest is what a virtual machine starts with, boot after boot.
type guest struct {
	kernel, initrd string
	disk           string
	limit          time.Duration // of one boot
}

const diskSize = 512 << 20 // sparse; etcd allocates 64 MB files ahead

func (g guest) newDisk() error {
	f, err := os.Create(g.disk)
	if err == nil {
		err = errors.Join(f.Truncate(diskSize), f.Close())
	}
	return err
}

// boot starts a guest and hands over its console line by line until it is off.
// Returns the processor's time that it took.
func (m machine) boot(ctx context.Context, g guest, number int, line func(string)) (used time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, g.limit)
	defer cancel()
	args := append(m.args, m.accel()...)
	args = append(args, "-smp", "2", "-m", "2048", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-serial", "stdio", "-kernel", g.kernel, "-initrd", g.initrd, "-drive", "if=virtio,format=raw,file="+g.disk,
		"-append", fmt.Sprintf("console=%s panic=-1 quiet random.trust_cpu=on mitigations=off %s=%d", m.console, suite.BootVariable, number))
	cmd := exec.CommandContext(ctx, m.program, args...)
	console, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start %s: %w", m.program, err)
	}
	readLines(console, line)
	err = cmd.Wait()
	if ctx.Err() != nil {
		err = fmt.Errorf("the guest was ended: %w", ctx.Err())
	}
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", m.program, err, &stderr)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), err
}

// readLines hands over lines without the carriage returns of a terminal.
func readLines(r io.Reader, line func(string)) {
	in := bufio.NewReader(r)
	for {
		text, err := in.ReadBytes('\n')
		if len(text) > 0 {
			line(string(bytes.TrimRight(text, "\r\n")))
		}
		if err != nil {
			return
		}
	}
}

// emulated reports whether the guest's CPU is: other architectures always are,
// and this one unless this machine's CPU has virtualization; /dev/kvm may be
// there without.
func (m machine) emulated() bool {
	if m.program != machines["amd64"].program {
		return true
	}
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil || !bytes.Contains(cpu, []byte(" vmx ")) && !bytes.Contains(cpu, []byte(" svm ")) {
		return true
	}
	kvm, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return true
	}
	return kvm.Close() != nil
}

// accel returns how the guest's CPU is run. An emulated one is a plain one: page
// tables of five levels and wide registers, which programs use where they are,
// cost a third more time. Emulated CPUs take turns: with a thread each, one ran
// code of the kernel's while another was changing it, and the kernel panicked.
func (m machine) accel() []string {
	switch {
	case !m.emulated():
		return []string{"-accel", "kvm", "-cpu", "max"}
	case m.program == machines["amd64"].program:
		return []string{"-accel", "tcg,thread=single", "-cpu", "qemu64"}
	}
	return []string{"-accel", "tcg,thread=single"}
}
