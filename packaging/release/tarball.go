package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"
)

// tarballs writes weft-VERSION-linux-ARCH.tar.gz with a directory of that name.
func (r *release) tarballs(context.Context) error {
	for _, arch := range r.arches {
		name := r.name("linux-" + arch)
		if err := r.writeTarball(r.result(name+".tar.gz"), name, os.DirFS(r.stage(arch))); err != nil {
			return err
		}
	}
	return nil
}

// writeTarball writes files, below a directory, into a compressed archive.
func (r *release) writeTarball(file, dir string, files fs.FS) error {
	return writeTo(file, func(w io.Writer) error {
		z := gzip.NewWriter(w)
		return errors.Join(writeTar(z, dir, files, r.date), z.Close())
	})
}

// writeTar writes an archive in which everything belongs to root and is from date, in the order of names.
func writeTar(w io.Writer, dir string, files fs.FS, date time.Time) error {
	archive := tar.NewWriter(w)
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return addToTar(archive, path.Join(dir, name), files, name, entry, date)
	})
	return errors.Join(err, archive.Close())
}

func addToTar(archive *tar.Writer, as string, files fs.FS, name string, entry fs.DirEntry, date time.Time) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	header := &tar.Header{Name: as, ModTime: date, Format: tar.FormatUSTAR, Mode: 0o644}
	switch {
	case as == ".":
		return nil
	case entry.IsDir():
		header.Typeflag, header.Name, header.Mode = tar.TypeDir, as+"/", 0o755
		return archive.WriteHeader(header)
	case info.Mode()&0o100 != 0:
		header.Mode = 0o755
	}
	header.Typeflag, header.Size = tar.TypeReg, info.Size()
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	f, err := files.Open(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(archive, f)
	return errors.Join(err, f.Close())
}

// writeTo writes a file, which is there under its name only when it is complete.
func writeTo(file string, content func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".weft-*")
	if err != nil {
		return err
	}
	err = errors.Join(content(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
