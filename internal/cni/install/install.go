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
	Bin   string // plugins, usually /opt/cni/bin; made if it is not there
	Conf  string // network configs, usually /etc/cni/net.d; made if it is not there
	State string // weft's own, of which one file is used: the record of what was installed
}

// pluginNames are the types of the plugin: a runtime starts the program that
// is named as the type in the config.
var pluginNames = []string{"weft", "flannel"}

// Modes of what is written: any runtime may read and run it, root alone may
// change it.
const (
	programMode = 0o755
	configMode  = 0o644
)

// Install copies the program plugin into d.Bin under the name of each type it
// does, and then writes the config into d.Conf, if there is one. Every file is
// replaced by rename, and one that is right already is not touched. It stops
// at the first failure; run again, it goes on.
func (d Dirs) Install(plugin string, config *Config) ([]Step, error) {
	program, err := os.ReadFile(plugin)
	if err != nil {
		return nil, fmt.Errorf("read the CNI plugin that is to be installed: %w", err)
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

// Uninstall undoes Install on every file of the record, in reverse order, so
// that the config goes before the plugins it names: a file that is as weft left
// it is removed, or becomes what it was before; one that somebody changed since
// stays. It goes on after failures; run again, it tries these again.
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

// file is one that is to be installed.
type file struct {
	path string
	data []byte
	mode os.FileMode
}

// install makes f stand at its path. The record says so first: a crash in
// between must not let weft take its own file for another's.
func (f file) install(r *record) ([]Step, error) {
	want := sum(f.data)
	now, err := look(f.path)
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

// write replaces what stands at f's path by rename. It does not use
// renameio.WriteFile, which keeps the mode of the file before.
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

// replaces reports whether f would take the place of somebody else's file.
// Where one is kept already and the record is lost, what stands there now is
// taken for weft's.
func (f file) replaces(now found, known recordFile, recorded bool) (bool, error) {
	if !now.exists || known.wrote(now) || now.isWeft(f.path) {
		return false, nil
	}
	keptOne, err := exists(f.path + keptSuffix)
	return recorded || !keptOne, err
}

// undo takes f away, or gives its place back.
func (f recordFile) undo() (Step, error) {
	now, err := look(f.Path)
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
		return Step{f.Path, PutBack}, os.Rename(kept, f.Path)
	}
	return Step{f.Path, Removed}, os.Remove(f.Path)
}

func removeIf(there bool, path string) error {
	if !there {
		return nil
	}
	return os.Remove(path)
}
