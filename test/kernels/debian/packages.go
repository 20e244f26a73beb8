package debian

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Programs returns a folder with the files of these packages and of those that
// they depend on.
func (c *Cache) Programs(ctx context.Context, names ...string) (string, error) {
	plan, err := c.apt(ctx, "apt-get", append([]string{"--simulate", "install"}, names...)...)
	if err != nil {
		return "", err
	}
	debs := installed(plan)
	root := c.path("programs-" + digest(debs))
	return root, once(root, func(dir string) error {
		return c.unpacked(ctx, debs, dir, func() error {
			_, err := c.apt(ctx, "apt-get", append([]string{"--yes", "--download-only", "install"}, names...)...)
			return err
		})
	})
}

// inst is a line of apt-get --simulate: "Inst kmod (30+2022-1 Debian:12.15/oldstable [amd64])".
var inst = regexp.MustCompile(`(?m)^Inst (\S+) \((\S+) .*\[(\S+)\]\)`)

// installed returns the file names of the packages that a simulation installs.
func installed(simulation string) []string {
	var files []string
	for _, m := range inst.FindAllStringSubmatch(simulation, -1) {
		files = append(files, fmt.Sprintf("%s_%s_%s.deb", m[1], strings.ReplaceAll(m[2], ":", "%3a"), m[3]))
	}
	return files
}

// digest tells sets of packages apart.
func digest(debs []string) string {
	sum := sha256.Sum256([]byte(strings.Join(debs, "\n")))
	return fmt.Sprintf("%x", sum[:6])
}

// once calls fill with a new folder that becomes dir, if there is no dir yet.
func once(dir string, fill func(dir string) error) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	draft, err := os.MkdirTemp(filepath.Dir(dir), ".unpack-")
	if err != nil {
		return fmt.Errorf("make a folder for packages: %w", err)
	}
	defer func() { _ = os.RemoveAll(draft) }()
	if err := fill(draft); err != nil {
		return err
	}
	return os.Rename(draft, dir)
}
