package debian

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Kernel is an unpacked kernel.
type Kernel struct {
	Version string // as uname -r prints it
	Image   string // the file to boot
	Modules string // the folder lib/modules/VERSION, with modules.dep
}

// flavours are the kernels for virtual machines, where Debian has such.
var flavours = map[string]string{"amd64": "cloud-amd64", "arm64": "cloud-arm64", "s390x": "s390x"}

// Newest asks for the newest kernel that there is.
const Newest = "newest"

// Kernel returns the newest kernel of a series, such as 6.1.
func (c *Cache) Kernel(ctx context.Context, series string) (Kernel, error) {
	found, err := c.apt(ctx, "apt-cache", "search", "--names-only", "^linux-image-.*-"+flavours[c.arch]+"$")
	if err != nil {
		return Kernel{}, err
	}
	name := newest(strings.Split(found, "\n"), series, flavours[c.arch])
	if name == "" {
		return Kernel{}, fmt.Errorf("no kernel %s for %s in Debian's packages; give a series such as 6.1, or %s", series, c.arch, Newest)
	}
	root := c.path(name)
	err = once(root, func(dir string) error {
		parts := c.parts(ctx, name)
		uris, err := c.aptIn(ctx, dir, "apt-get", append([]string{"--print-uris", "download"}, parts...)...)
		if err != nil {
			return err
		}
		err = c.unpacked(ctx, filesOf(uris), dir, func() error {
			_, err := c.apt(ctx, "apt-get", append([]string{"-q", "download"}, parts...)...)
			return err
		})
		if err != nil {
			return err
		}
		return depmod(ctx, dir)
	})
	if err != nil {
		return Kernel{}, err
	}
	return kernelIn(root)
}

// parts names the packages of a kernel: newer ones have image and modules in
// packages that linux-image depends on.
func (c *Cache) parts(ctx context.Context, name string) []string {
	parts := []string{name}
	depends, _ := c.apt(ctx, "apt-cache", "depends", name)
	for _, word := range strings.Fields(depends) {
		if strings.HasPrefix(word, "linux-binary-") || strings.HasPrefix(word, "linux-modules-") {
			parts = append(parts, word)
		}
	}
	return parts
}

// filesOf reads the file names out of what apt-get --print-uris prints of files
// that are not in its working directory: 'URI' FILE SIZE HASH.
func filesOf(uris string) []string {
	var files []string
	for line := range strings.Lines(uris) {
		if f := strings.Fields(line); len(f) >= 3 && strings.HasPrefix(f[0], "'") {
			files = append(files, f[1])
		}
	}
	return files
}

var numbers = regexp.MustCompile(`[0-9]+`)

// newest picks a name out of lines "NAME - DESCRIPTION".
func newest(lines []string, series, flavour string) string {
	if series == Newest {
		series = "[0-9]+.[0-9]+"
	}
	named := regexp.MustCompile(`^linux-image-` + strings.ReplaceAll(series, ".", `\.`) + `\.[0-9]+(-[0-9]+|\+deb[0-9]+)-` + flavour + `$`)
	best := ""
	for _, line := range lines {
		name, _, _ := strings.Cut(line, " ")
		if named.MatchString(name) && slices.CompareFunc(numbers.FindAllString(name, -1), numbers.FindAllString(best, -1), numerically) > 0 {
			best = name
		}
	}
	return best
}

func numerically(a, b string) int {
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	return cmp.Compare(x, y)
}

// depmod makes the index by which modprobe(8) finds modules.
func depmod(ctx context.Context, root string) error {
	k, err := kernelIn(root)
	if err != nil {
		return err
	}
	base := strings.TrimSuffix(k.Modules, "/lib/modules/"+k.Version)
	cmd := exec.CommandContext(ctx, "depmod", "-b", base, k.Version)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if cmd.Err != nil { // not in everyone's path
		cmd.Path, cmd.Err = "/usr/sbin/depmod", nil
	}
	_, err = output(cmd)
	return err
}

// kernelIn finds the kernel that was unpacked into root: newer packages have the
// image beside the modules.
func kernelIn(root string) (Kernel, error) {
	boot, err := filepath.Glob(filepath.Join(root, "boot", "vmlinuz-*"))
	beside, other := filepath.Glob(filepath.Join(root, "usr/lib/modules/*/vmlinuz"))
	images := append(boot, beside...)
	if err = errors.Join(err, other); err != nil || len(images) != 1 {
		return Kernel{}, errors.Join(err, fmt.Errorf("%s has %d kernels, not one", root, len(images)))
	}
	k := Kernel{Image: images[0], Version: strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-")}
	if len(beside) == 1 {
		k.Version = filepath.Base(filepath.Dir(images[0]))
	}
	for _, lib := range []string{"lib", "usr/lib"} {
		k.Modules = filepath.Join(root, lib, "modules", k.Version)
		if _, err = os.Stat(k.Modules); err == nil {
			return k, nil
		}
	}
	return Kernel{}, fmt.Errorf("find the modules of kernel %s: %w", k.Version, err)
}
