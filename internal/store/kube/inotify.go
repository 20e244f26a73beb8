package kube

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// watchFile calls changed after every event that may have changed the content
// of the file at path, and once at the beginning, until ctx ends. A ConfigMap's files are
// links through a directory link that is replaced by a rename, so it is the
// directories that are watched (inotify(7)). A file that is being written is
// reported when it is closed.
func watchFile(ctx context.Context, path string, changed func()) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch %s: inotify: %w", path, err)
	}
	w := &fileWatch{path: path, file: os.NewFile(uintptr(fd), "inotify"), fd: fd, dirs: map[int]string{}}
	defer w.file.Close()
	stop := context.AfterFunc(ctx, func() { _ = w.file.Close() }) // ends the read below
	defer stop()
	buf := make([]byte, 16<<10)
	for {
		if err := w.arm(); err != nil {
			return err
		}
		changed()
		for quiet := true; quiet; {
			n, err := w.file.Read(buf)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				return fmt.Errorf("watch %s: inotify: %w", path, err)
			}
			quiet = !w.matters(buf[:n])
		}
	}
}

type fileWatch struct {
	path string
	file *os.File
	fd   int
	dirs map[int]string // by watch descriptor
}

const dirEvents = unix.IN_CLOSE_WRITE | unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO |
	unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR

// arm watches the directory of path, and the directory of the file to which
// links lead from there. Instead of one that does not exist, it watches the
// nearest directory above.
func (w *fileWatch) arm() error {
	places := []string{filepath.Dir(w.path)}
	if target, err := filepath.EvalSymlinks(w.path); err == nil {
		places = append(places, filepath.Dir(target))
	}
	wanted := map[int]string{}
	for _, dir := range places {
		wd, at, err := w.add(dir)
		if err != nil {
			return fmt.Errorf("watch %s: %w", w.path, err)
		}
		wanted[wd] = at
	}
	for wd := range w.dirs {
		if wanted[wd] == "" {
			_, _ = unix.InotifyRmWatch(w.fd, uint32(wd)) // it may be gone with its directory
		}
	}
	w.dirs = wanted
	return nil
}

func (w *fileWatch) add(dir string) (int, string, error) {
	for {
		wd, err := unix.InotifyAddWatch(w.fd, dir, dirEvents)
		if err == nil {
			return wd, dir, nil
		}
		above := filepath.Dir(dir)
		gone := errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR)
		if !gone || above == dir {
			return 0, "", fmt.Errorf("directory %s: %w", dir, err)
		}
		dir = above
	}
}

// matters reports whether any of the events, as the kernel writes them, may have
// changed the content of the file. A regular file that was just created is still
// empty; an event follows when it is closed.
func (w *fileWatch) matters(events []byte) bool {
	for len(events) >= unix.SizeofInotifyEvent {
		wd := int(int32(binary.NativeEndian.Uint32(events[0:4])))
		mask := binary.NativeEndian.Uint32(events[4:8])
		size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:16]))
		if size > len(events) {
			return true
		}
		name := string(bytes.TrimRight(events[unix.SizeofInotifyEvent:size], "\x00"))
		events = events[size:]
		if mask&unix.IN_CREATE != 0 {
			info, err := os.Lstat(filepath.Join(w.dirs[wd], name))
			if err == nil && info.Mode().IsRegular() {
				continue
			}
		}
		return true
	}
	return false
}
