package docker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/renameio/v2"
)

// DaemonJSON is Docker's configuration file, as it was read, and what weft
// remembers of it.
type DaemonJSON struct {
	path   string // links followed
	now    content
	info   fs.FileInfo // nil if there is no file
	record *record     // nil if weft did nothing to it
}

// recordSuffix is appended to a daemon.json's path for weft's record.
const recordSuffix = ".before-weft"

// maxSize bounds, in bytes, what is taken for a configuration file.
const maxSize = 1 << 20

// ReadDaemonJSON reads the file at path, which need not be there.
func ReadDaemonJSON(path string) (DaemonJSON, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the link stays, its target is replaced
	}
	d := DaemonJSON{path: path}
	var err error
	if d.info, err = os.Stat(path); err == nil {
		var data []byte
		data, err = readSmall(path, d.info)
		d.now = content{string(data), true}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return DaemonJSON{}, err
	}
	data, err := os.ReadFile(path + recordSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return DaemonJSON{}, err
	}
	if d.record, err = parseRecord(data); err != nil {
		return DaemonJSON{}, fmt.Errorf("%s: %w", path+recordSuffix, err)
	}
	return d, nil
}

func readSmall(path string, info fs.FileInfo) ([]byte, error) {
	if !info.Mode().IsRegular() || info.Size() > maxSize {
		return nil, fmt.Errorf("%s: not a configuration file: it must be a regular one of at most %d bytes", path, maxSize)
	}
	return os.ReadFile(path)
}

// Configured reports whether there is something to undo.
func (d DaemonJSON) Configured() bool { return d.record != nil }

// Change is what is to become of a daemon.json. Nothing happens before Write.
type Change struct {
	file    DaemonJSON
	to      content
	record  *record  // nil: there is to be none
	Changed []string // weft's keys that were changed by others since, and are kept
}

// Configure computes the file with the wanted settings: all else stays as it
// is. A *ConflictError says that it must not be.
func (d DaemonJSON) Configure(want []Setting) (Change, error) {
	base, _, err := undo(d.now, d.record)
	if err != nil {
		return Change{}, fmt.Errorf("%s: %w", d.path, err)
	}
	old, err := parseObject(base.text)
	if err != nil {
		return Change{}, fmt.Errorf("%s: %w", d.path, err)
	}
	if err := check(old, want); err != nil {
		return Change{}, fmt.Errorf("%s: %w", d.path, err)
	}
	now, err := parseObject(d.now.text)
	if err != nil {
		return Change{}, fmt.Errorf("%s: %w", d.path, err)
	}
	var earlier map[string]string
	if d.record != nil {
		earlier = d.record.Keys
	}
	to := merge(now, old, earlier, want).String()
	if d.now.exists && to == d.now.text {
		return Change{file: d, to: d.now, record: d.record}, nil
	}
	r := &record{
		Existed: base.exists, MadeDir: d.madeDir(),
		Before: base.text, After: sum(to), Keys: map[string]string{},
	}
	for _, s := range want {
		if !equal(old.get(s.Key), s.Value) {
			r.Keys[s.Key] = s.Value
		}
	}
	return Change{file: d, to: content{to, true}, record: r}, nil
}

// Unconfigure computes the file without what Configure set.
func (d DaemonJSON) Unconfigure() (Change, error) {
	to, changed, err := undo(d.now, d.record)
	if err != nil {
		return Change{}, fmt.Errorf("%s: %w", d.path, err)
	}
	return Change{file: d, to: to, Changed: changed}, nil
}

func (d DaemonJSON) madeDir() bool {
	if d.record != nil && d.record.MadeDir {
		return true
	}
	_, err := os.Stat(filepath.Dir(d.path))
	return errors.Is(err, fs.ErrNotExist)
}

// Path is the file that is written, links followed.
func (c Change) Path() string { return c.file.path }

// Empty reports whether the file is to stay as it is.
func (c Change) Empty() bool { return c.to == c.file.now }

// Removes reports whether there is to be no file.
func (c Change) Removes() bool { return !c.to.exists }

// Diff is the change as text, "" if it is empty.
func (c Change) Diff() string {
	if c.Empty() {
		return ""
	}
	return diff(c.file.path, c.file.now, c.to)
}

// Write makes the change, by rename, with the old file's mode and owner. The
// record is written first and removed last, so that Unconfigure finds what it
// needs if Write is interrupted.
func (c Change) Write() error {
	path := c.file.path
	if c.record != nil && !c.Empty() {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		data, err := c.record.format()
		if err != nil {
			return err
		}
		if err := renameio.WriteFile(path+recordSuffix, data, 0o600); err != nil {
			return fmt.Errorf("keep a record of what was there: %w", err)
		}
	}
	if !c.Empty() {
		if err := c.replace(); err != nil {
			return err
		}
	}
	if c.record == nil && c.file.record != nil {
		return c.forget()
	}
	return nil
}

func (c Change) replace() error {
	path := c.file.path
	if !c.to.exists {
		return os.Remove(path)
	}
	mode := fs.FileMode(0o644)
	if c.file.info != nil {
		mode = c.file.info.Mode().Perm()
	}
	f, err := renameio.NewPendingFile(path, renameio.WithStaticPermissions(mode))
	if err != nil {
		return err
	}
	defer f.Cleanup() // does nothing once the file is in its place
	if err := c.chown(f.File); err != nil {
		return err
	}
	if _, err := f.WriteString(c.to.text); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}

// chown gives the new file the old one's owner and group.
func (c Change) chown(f *os.File) error {
	if c.file.info == nil {
		return nil
	}
	owner, ok := c.file.info.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) == os.Geteuid() && int(owner.Gid) == os.Getegid() {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}

// forget removes the record, and the directory that was made for the file if
// nothing else is in it.
func (c Change) forget() error {
	if err := os.Remove(c.file.path + recordSuffix); err != nil {
		return err
	}
	if c.file.record.MadeDir && !c.to.exists {
		err := os.Remove(filepath.Dir(c.file.path))
		if err != nil && !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
