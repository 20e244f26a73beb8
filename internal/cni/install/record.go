package install

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
)

// recordName is the record's file in the state directory.
const recordName = "cni.json"

// record lists the files that Install wrote, in that order. It is saved at each
// change.
type record struct {
	path  string
	Files []recordFile `json:"files"`
}

// recordFile is a file that weft installed.
type recordFile struct {
	Path string   `json:"path"`
	Sums []string `json:"sha256"` // what weft wrote there last; two after a crash
}

// wrote reports whether weft wrote the file as it is now.
func (f recordFile) wrote(now found) bool { return now.sum != "" && slices.Contains(f.Sums, now.sum) }

// readRecord reads the record in dir; a missing one is empty.
func readRecord(dir string) (*record, error) {
	r := &record{path: filepath.Join(dir, recordName)}
	data, err := os.ReadFile(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the record of what was installed: %w", err)
	}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s is not the record of what was installed: %w; if you remove it, the installed files count as foreign", r.path, err)
	}
	for _, f := range r.Files {
		if !filepath.IsAbs(f.Path) {
			return nil, fmt.Errorf("%s is not the record of what was installed: %q is not an absolute path", r.path, f.Path)
		}
	}
	return r, nil
}

func (r *record) index(path string) int {
	return slices.IndexFunc(r.Files, func(f recordFile) bool { return f.Path == path })
}

func (r *record) find(path string) (recordFile, bool) {
	i := r.index(path)
	if i < 0 {
		return recordFile{}, false
	}
	return r.Files[i], true
}

// put adds or replaces the record of a file.
func (r *record) put(f recordFile) error {
	i := r.index(f.Path)
	switch {
	case i < 0:
		r.Files = append(r.Files, f)
	case slices.Equal(r.Files[i].Sums, f.Sums):
		return nil
	default:
		r.Files[i] = f
	}
	return r.save()
}

// drop removes a file from the record, and the record with the last one.
func (r *record) drop(path string) error {
	r.Files = slices.DeleteFunc(r.Files, func(f recordFile) bool { return f.Path == path })
	if len(r.Files) == 0 {
		return os.Remove(r.path)
	}
	return r.save()
}

func (r *record) save() error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(r.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return renameio.WriteFile(r.path, append(data, '\n'), 0o600, renameio.WithTempDir(dir))
}
