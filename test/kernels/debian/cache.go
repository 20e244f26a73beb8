// Package debian gets kernels and programs of any architecture out of Debian's
// packages, into a folder of its own: nothing is installed, and neither apt's
// nor dpkg's records of this machine are touched.
package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Cache is the folder of one architecture's packages, with the indexes that
// they are found by.
type Cache struct {
	dir  string
	arch string // as dpkg(1) names it
}

// fresh is for how long the indexes are used as they are.
const fresh = 7 * 24 * time.Hour

// programSuite is where programs come from; kernels come from all suites.
const programSuite = "bookworm"

// suites are the Debian releases with the kernels that weft is tested on, and
// those with security updates: 5.10, 6.1, 6.12 and the newest. They come from
// the machine's own mirrors.
var suites = map[bool][]string{
	false: {programSuite, "trixie", "trixie-backports"},
	true:  {"bullseye-security", "bookworm-security", "trixie-security"},
}

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg" // of the package debian-archive-keyring

// Open returns the cache of an architecture in a folder below dir, with
// indexes not older than a week, if the mirror has newer ones.
func Open(ctx context.Context, dir, arch string) (*Cache, error) {
	c := &Cache{dir: filepath.Join(dir, arch), arch: arch}
	sources, err := sources(ctx)
	if err == nil {
		err = c.configure(sources)
	}
	if err != nil {
		return nil, fmt.Errorf("set apt up in %s: %w", c.dir, err)
	}
	stamp := filepath.Join(c.dir, "updated")
	if info, err := os.Stat(stamp); err == nil && time.Since(info.ModTime()) < fresh {
		return c, nil
	}
	if _, err := c.apt(ctx, "apt-get", "-q", "update"); err != nil {
		// A mirror may be amid an update; what needs a missing index fails by itself, and says so.
		fmt.Fprintln(os.Stderr, "going on with the package indexes that there are:", err)
		return c, nil
	}
	return c, c.write("updated", "")
}

// sources are the lines of sources.list(5) by which apt finds the suites.
func sources(ctx context.Context) (string, error) {
	mirrors, err := mirrors(ctx)
	if err != nil {
		return "", err
	}
	var lines strings.Builder
	for security, names := range suites {
		for _, suite := range names {
			fmt.Fprintf(&lines, "deb [signed-by=%s] %s %s main\n", keyring, mirrors[security], suite)
		}
	}
	return lines.String(), nil
}

// configure makes the cache's folders and writes sources.list, and an apt.conf
// after which apt knows nothing of this machine: no package is installed, and
// c.arch is its architecture.
func (c *Cache) configure(sources string) error {
	for _, sub := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(c.path(sub), 0o755); err != nil {
			return err
		}
	}
	conf := fmt.Sprintf(`Dir::State %[1]q;
Dir::State::lists "lists";
Dir::State::status %[2]q;
Dir::Cache %[1]q;
Dir::Cache::archives "archives";
Dir::Etc::sourcelist %[3]q;
Dir::Etc::sourceparts "-";
APT::Architecture %[4]q;
#clear APT::Architectures;
APT::Architectures { %[4]q; };
APT::Default-Release %[5]q;
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
Debug::NoLocking "true";
`, c.dir, c.path("status"), c.path("sources.list"), c.arch, programSuite)
	return errors.Join(c.write("sources.list", sources), c.write("apt.conf", conf), c.write("status", ""))
}

// release is a Debian release as sources name it.
var release = regexp.MustCompile(`^(oldstable|stable|testing|bullseye|bookworm|trixie|forky)(-security)?$`)

// mirrors returns where this machine gets Debian from, and its security updates.
func mirrors(ctx context.Context) (found map[bool]string, err error) {
	out, err := output(exec.CommandContext(ctx, "apt-get", "indextargets", "--no-release-info",
		"--format", "$(COMPONENT) $(RELEASE) $(REPO_URI)", "Created-By: Packages"))
	found = map[bool]string{}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "main" {
			continue
		}
		if m := release.FindStringSubmatch(f[1]); m != nil {
			found[m[2] != ""] = f[2]
		}
	}
	if err == nil && len(found) < len(suites) {
		err = errors.New("apt's sources do not name Debian and its security updates: see sources.list(5)")
	}
	return found, err
}

func (c *Cache) path(name string) string { return filepath.Join(c.dir, name) }

func (c *Cache) write(name, text string) error {
	return os.WriteFile(c.path(name), []byte(text), 0o644)
}

// apt runs one of apt's programs on the cache, amid the archives.
func (c *Cache) apt(ctx context.Context, program string, args ...string) (string, error) {
	return c.aptIn(ctx, c.path("archives"), program, args...)
}

// aptIn runs it in another working directory.
func (c *Cache) aptIn(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, append([]string{"-c", c.path("apt.conf")}, args...)...)
	cmd.Dir = dir
	return output(cmd)
}

func output(cmd *exec.Cmd) (string, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, plain(stderr.String()))
	}
	return string(out), nil
}
