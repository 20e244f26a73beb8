package release

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/weft-net/weft/internal/netns"
	"github.com/weft-net/weft/test/labmain"
	"github.com/weft-net/weft/test/programs"
)

// The versions of the packages that a host is upgraded from and to.
const (
	former = "v0.9.0"
	newer  = "v0.9.1"
)

// madeVariable names the directory with the releases that the tests look at, for the process in namespaces.
const madeVariable = "RELEASES_UNDER_TEST"

// In that directory: the former release, the same made once more, and the newer release's .deb.
const (
	once  = "once"
	again = "again"
	next  = "next"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run makes the releases before it goes into namespaces, where there is no network to get modules.
func run(m *testing.M) int {
	if netns.Marked() || filepath.Base(os.Args[0]) == "weft" {
		return labmain.Main(m, former)
	}
	dir, err := os.MkdirTemp("", "weft-releases-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := makeReleases(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := os.Setenv(madeVariable, dir); err != nil {
		panic(err)
	}
	return labmain.Main(m, former)
}

func makeReleases(dir string) error {
	tools, err := programs.Release.Dir(context.Background())
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(context.Background())
	for place, flags := range map[string][]string{
		once:  {"-version=" + former},
		again: {"-version=" + former},
		next:  {"-version=" + newer, "-formats=deb"},
	} {
		group.Go(func() error {
			args := append([]string{"-root=../..", "-arches=" + runtime.GOARCH, "-out=" + filepath.Join(dir, place)}, flags...)
			cmd := exec.CommandContext(ctx, filepath.Join(tools, "release"), args...)
			cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000")
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%v: %w\n%s", cmd.Args, err, out)
			}
			return nil
		})
	}
	return group.Wait()
}

// made is the path of a file of a release; pattern must match exactly one.
func made(t *testing.T, place, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(os.Getenv(madeVariable), place, pattern))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files are named %s in the release, want one: %v %v", len(files), pattern, files, err)
	}
	return files[0]
}
