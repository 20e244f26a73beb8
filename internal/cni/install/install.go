package install

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Dirs are the directories of a host that Install and Uninstall change.
type Dirs struct {
	Bin   string // plugins, usually /opt/cni/bin; created if missing
	Conf  string // network configs, usually /etc/cni/net.d; created if missing
	State string // weft's own, with the record of what was installed
}

// pluginNames are the types of the plugin: a runtime starts the program with
// the name of the type in the config.
var pluginNames = []string{"weft", "flannel"}

// Modes of installed files: any runtime may read and run them, only root may
// change them.
const (
	programMode = 0o755
	configMode  = 0o644
)

// Install copies the program plugin into d.Bin under the name of each of its
// types, and then writes the config into d.Conf, if there is one. Files are
// replaced by rename, and those that are up to date are not touched. It stops at
// the first failure, and continues there when it is run again.
func (d Dirs) Install(plugin string, config *Config) ([]Step, error) {
	program, err := os.ReadFile(plugin)
	if err != nil {
		return nil, fmt.Errorf("read the CNI plugin to install: %w", err)
	}
	var files []file
	for _, name := range pluginNames {
		files = append(files, file{filepath.Join(d.Bin, name), program, programMode})
	}
	if config != nil {
		files = append(files, file{filepath.Join(d.Conf, config.name), config.text, configMode})
	}
	r, err := readRecord(d.State)
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, f := range files {
		did, err := f.install(r)
		if err != nil {
			return steps, fmt.Errorf("install %s: %w", f.path, err)
		}
		steps = append(steps, did...)
	}
	return steps, nil
}

// Uninstall undoes Install for every file of the record, in reverse order, so
// that the config is removed before the plugins that it names: a file that is
// unchanged is removed, or the file from before restored; a file that was
// changed since stays. It continues after failures and can be run again.
func (d Dirs) Uninstall() ([]Step, error) {
	r, err := readRecord(d.State)
	if err != nil {
		return nil, err
	}
	var steps []Step
	var errs []error
	for i := len(r.Files) - 1; i >= 0; i-- {
		f := r.Files[i]
		did, err := f.undo()
		if err != nil {
			errs = append(errs, fmt.Errorf("uninstall %s: %w", f.Path, err))
			continue
		}
		steps = append(steps, did)
		errs = append(errs, r.drop(f.Path))
	}
	return steps, errors.Join(errs...)
}

// file is a file to install.
type file struct {
	path string
	data []byte
	mode os.FileMode
}

// install writes f to its path, after the record: a crash in between must not
// make weft treat its own file as a foreign one.
func (f file) install(r *record) ([]Step, error) {
	want := sum(f.data)
	now, err := inspect(f.path)
	if err != nil {
		return nil, err
	}
	known, recorded := r.find(f.path)
	if recorded && now.is(want) && now.mode == f.mode {
		return []Step{{f.path, UpToDate}}, r.put(recordFile{f.path, []string{want}})
	}
	var steps []Step
	foreign, err := f.replaces(now, known, recorded)
	if err != nil {
		return nil, err
	}
	if foreign {
		if err := keep(f.path); err != nil {
			return nil, err
		}
		steps = append(steps, Step{f.path, Kept})
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return nil, err
	}
	if err := r.put(recordFile{f.path, append(known.Sums, want)}); err != nil {
		return nil, err
	}
	if err := f.write(); err != nil {
		return nil, err
	}
	return append(steps, Step{f.path, Installed}), r.put(recordFile{f.path, []string{want}})
}

// write replaces the file at f's path by rename. It does not use
// renameio.WriteFile, which keeps the mode of the previous file.
func (f file) write() error {
	out, err := renameio.NewPendingFile(f.path, renameio.WithTempDir(filepath.Dir(f.path)), renameio.WithStaticPermissions(f.mode))
	if err != nil {
		return err
	}
	if _, err := out.Write(f.data); err != nil {
		return errors.Join(err, out.Cleanup())
	}
	return errors.Join(out.CloseAtomicallyReplace(), out.Cleanup())
}

// replaces reports whether f would replace a foreign file. If one is kept
// already and the record is lost, the present file is assumed to be weft's.
func (f file) replaces(now found, known recordFile, recorded bool) (bool, error) {
	if !now.exists || known.wrote(now) || now.isWeft(f.path) {
		return false, nil
	}
	keptOne, err := exists(f.path + keptSuffix)
	return recorded || !keptOne, err
}

// undo removes f, or restores the file from before.
func (f recordFile) undo() (Step, error) {
	now, err := inspect(f.Path)
	if err != nil {
		return Step{}, err
	}
	kept := f.Path + keptSuffix
	isKept, err := exists(kept)
	if err != nil {
		return Step{}, err
	}
	switch {
	case now.exists && !f.wrote(now):
		return Step{f.Path, Left}, removeIf(isKept, kept)
	case !now.exists:
		return Step{f.Path, Gone}, removeIf(isKept, kept)
	case isKept:
		return Step{f.Path, Restored}, os.Rename(kept, f.Path)
	}
	return Step{f.Path, Removed}, os.Remove(f.Path)
}

func removeIf(there bool, path string) error {
	if !there {
		return nil
	}
	return os.Remove(path)
}
