package install

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// found is the state of a path.
type found struct {
	exists bool
	sum    string // of a regular file; "" else
	mode   fs.FileMode
}

// exists reports whether there is a file of any kind at path.
func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// inspect returns the state of path. A link is not followed, since it would be
// replaced itself.
func inspect(path string) (found, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return found{}, nil
	}
	if err != nil {
		return found{}, err
	}
	if !info.Mode().IsRegular() {
		return found{exists: true, mode: info.Mode()}, nil
	}
	data, err := os.ReadFile(path)
	return found{exists: true, sum: sum(data), mode: info.Mode()}, err
}

// is reports whether it is a regular file with that checksum.
func (f found) is(sum string) bool { return f.sum != "" && f.sum == sum }

// module is the path of weft's module, which Go records in programs.
const module = "github.com/weft-net/weft"

// isWeft reports whether the file at path is a program of weft, also if its
// record is lost.
func (f found) isWeft(path string) bool {
	if f.sum == "" {
		return false
	}
	info, err := buildinfo.ReadFile(path)
	return err == nil && info.Main.Path == module
}

func sum(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}

// keptSuffix is appended to the path of a foreign file that weft replaces. No
// runtime reads a config with such a name.
const keptSuffix = ".before-weft"

// keep gives the file at path a second name, which replaces one kept earlier.
// The file stays at path meanwhile.
func keep(path string) error {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".before-weft-")
	if err != nil {
		return err
	}
	second := filepath.Join(dir, filepath.Base(path))
	err = os.Link(path, second)
	if err == nil {
		err = os.Rename(second, path+keptSuffix)
	}
	return errors.Join(err, os.RemoveAll(dir))
}
