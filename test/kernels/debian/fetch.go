package debian

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

// tries is how often packages are fetched and unpacked before it is given up.
const tries = 4

// firstPause is the time until the second try; it doubles with each one.
const firstPause = 2 * time.Second

// unpacked has download put packages into the cache's archives, and unpacks
// these files of theirs into dir. A mirror that fails for a moment is tried
// again, and a file that cannot be unpacked is fetched anew.
func (c *Cache) unpacked(ctx context.Context, debs []string, dir string, download func() error) (err error) {
	pause := firstPause
	for try := range tries {
		if try > 0 {
			fmt.Fprintln(os.Stderr, "trying again:", err)
			select {
			case <-ctx.Done():
				return errors.Join(ctx.Err(), err)
			case <-time.After(pause):
				pause *= 2
			}
		}
		if err = download(); err == nil {
			err = c.unpack(ctx, debs, dir)
		}
		if err == nil {
			return nil
		}
	}
	return err
}

// unpack unpacks files of the archives, and removes those that are damaged.
func (c *Cache) unpack(ctx context.Context, debs []string, dir string) (err error) {
	for _, deb := range debs {
		file := c.path(filepath.Join("archives", deb))
		if _, broken := output(exec.CommandContext(ctx, "dpkg-deb", "--extract", file, dir)); broken != nil {
			err = errors.Join(err, fmt.Errorf("unpack the package %s: %w", deb, broken))
			if ctx.Err() == nil {
				err = errors.Join(err, removed(file))
			}
		}
	}
	return err
}

// removed removes a file, if it is there.
func removed(file string) error {
	if err := os.Remove(file); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// address is what programs print of where a file comes from, up to its name.
var address = regexp.MustCompile(`\b[a-z+]+://[^\s']*/| *\[IP: [^\]]*\]`)

// plain takes the mirror's address out of what apt prints: what failed is the
// package, and why.
func plain(text string) string { return address.ReplaceAllString(text, "") }
