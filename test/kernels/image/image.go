// Package image writes the file system that a guest starts with: an initramfs,
// as a cpio archive of the form newc
// (Documentation/driver-api/early-userspace/buffer-format.rst of the kernel).
// It is not compressed, since the guest would spend its time on that.
package image

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/cavaliergopher/cpio"
)

// Image is an archive that is being written.
type Image struct {
	file *os.File
	out  *bufio.Writer
	cpio *cpio.Writer
	made map[string]bool // folders and files that are in it
}

// merged are the folders that Debian's packages still use and its file system
// does not have any more (usrmerge).
var merged = map[string]bool{"bin": true, "sbin": true, "lib": true, "lib64": true}

// Create begins an image. Folders /bin, /sbin, /lib and /lib64 are links.
func Create(file string) (*Image, error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, fmt.Errorf("create the guest's file system: %w", err)
	}
	out := bufio.NewWriterSize(f, 1<<20)
	i := &Image{file: f, out: out, cpio: cpio.NewWriter(out), made: map[string]bool{".": true, "/": true}}
	for dir := range merged {
		err = errors.Join(err, i.Dir("usr/"+dir), i.Link(dir, "usr/"+dir))
	}
	return i, err
}

// Close ends the archive.
func (i *Image) Close() error { return errors.Join(i.cpio.Close(), i.out.Flush(), i.file.Close()) }

// Tree adds all files below dir at the path at, but for those that skip names,
// a path below dir.
func (i *Image) Tree(at, dir string, skip func(rel string) bool) error {
	return filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		switch {
		case err != nil:
			return err
		case skip != nil && skip(rel) && entry.IsDir():
			return fs.SkipDir
		case skip != nil && skip(rel):
			return nil
		}
		return i.entry(path.Join(at, rel), file, entry.Type())
	})
}

func (i *Image) entry(at, file string, mode fs.FileMode) error {
	switch {
	case mode.IsDir():
		return i.Dir(at)
	case mode&fs.ModeSymlink != 0:
		target, err := os.Readlink(file)
		return errors.Join(err, i.Link(at, target))
	case mode.IsRegular():
		return i.File(at, file)
	}
	return nil // no package ships devices or sockets
}

// File adds the file at the path at.
func (i *Image) File(at, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return i.Text(at, data, info.Mode().Perm())
}

// Text adds a file with that content.
func (i *Image) Text(at string, data []byte, mode fs.FileMode) error {
	return i.put(&cpio.Header{Name: at, Mode: cpio.TypeReg | cpio.FileMode(mode), Size: int64(len(data)), Links: 1}, data)
}

// Link adds a symbolic link.
func (i *Image) Link(at, target string) error {
	return i.put(&cpio.Header{Name: at, Mode: cpio.TypeSymlink | 0o777, Size: int64(len(target)), Links: 1}, []byte(target))
}

// Dir adds a folder, unless it is there.
func (i *Image) Dir(at string) error {
	return i.put(&cpio.Header{Name: at, Mode: cpio.TypeDir | 0o755, Links: 2}, nil)
}

// put adds an entry after the folders that it lies in. What is there already
// stays.
func (i *Image) put(h *cpio.Header, data []byte) error {
	h.Name = path.Clean(strings.TrimPrefix(h.Name, "/"))
	if top, rest, deeper := strings.Cut(h.Name, "/"); deeper && merged[top] {
		h.Name = path.Join("usr", top, rest)
	}
	if i.made[h.Name] {
		return nil
	}
	if err := i.Dir(path.Dir(h.Name)); err != nil {
		return err
	}
	i.made[h.Name] = true
	if err := i.cpio.WriteHeader(h); err != nil {
		return fmt.Errorf("add %s to the guest's file system: %w", h.Name, err)
	}
	_, err := i.cpio.Write(data)
	return err
}
