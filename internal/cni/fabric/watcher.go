package fabric

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// watcher waits for a file to be written. The file and its directory need not
// exist yet.
type watcher struct {
	path   string
	events *os.File // of inotify; nil: not available on this host
	fd     int      // of events, whose method Fd would make reads uninterruptible
}

// withoutEvents is how often the file is read if inotify is not available.
const withoutEvents = 500 * time.Millisecond

func newWatcher(path string) *watcher {
	w := &watcher{path: path}
	if fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK); err == nil {
		w.events, w.fd = os.NewFile(uintptr(fd), "inotify"), fd
	}
	return w
}

func (w *watcher) close() {
	if w.events != nil {
		_ = w.events.Close() // nothing was written
	}
}

// changes are the events of a file or directory that appears in a directory,
// and of the directory's own removal.
const changes = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_CLOSE_WRITE | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF

// follow watches the file's directory, or the nearest existing one above it.
// The file must be read after it, and before wait.
func (w *watcher) follow() {
	for w.events != nil {
		dir := nearest(filepath.Dir(w.path))
		_, err := unix.InotifyAddWatch(w.fd, dir, changes)
		if err != nil && nearest(dir) == dir {
			w.close()
			w.events = nil
		}
		if err == nil && nearest(filepath.Dir(w.path)) == dir {
			return
		}
	}
}

// nearest returns dir or the nearest existing directory above it.
func nearest(dir string) string {
	for dir != "/" {
		if _, err := os.Stat(dir); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	return dir
}

// wait waits for a change and returns false if ctx ends first.
func (w *watcher) wait(ctx context.Context) bool {
	if w.events == nil {
		pause, cancel := context.WithTimeout(ctx, withoutEvents)
		defer cancel()
		<-pause.Done()
		return ctx.Err() == nil
	}
	stop := context.AfterFunc(ctx, func() { _ = w.events.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err := w.events.Read(make([]byte, 4<<10))
	return err == nil && ctx.Err() == nil
}
