package flannel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/google/renameio/v2"
)

// ifNameKey is weft's own key in a record, beside those of the delegate's
// config: the name of the container's interface. Records of flannel's plugin
// lack it, and delegates ignore unknown keys.
const ifNameKey = "weft/ifname"

// record is a file with the config by which a delegate connected one interface
// of a container. Its name is the container's id, as with flannel's plugin.
// When a container has two interfaces on networks that share the directory,
// the name of the second record is ID:INTERFACE.
type record struct {
	path     string
	ifName   string // "": a record of flannel's plugin, which does not say
	delegate object // its config
}

// network is the name of the network.
func (r record) network() (name string) {
	_ = json.Unmarshal(r.delegate["name"], &name) // anything but a string is no name
	return name
}

// containerID is the container of the record.
func (r record) containerID() string {
	id, _, _ := strings.Cut(filepath.Base(r.path), ":") // ids have no colon
	return id
}

// write stores the record so that it survives a power failure. Only its owner
// may read it: a config may contain secrets.
func (r record) write() error {
	content := map[string]any{ifNameKey: r.ifName}
	for key, value := range r.delegate {
		content[key] = value
	}
	dir := filepath.Dir(r.path)
	text, err := json.Marshal(content)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = renameio.WriteFile(r.path, text, 0o600)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return types.NewError(types.ErrIOFailure, "write the record by which the container can be deleted again: "+err.Error(), "")
	}
	return nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// remove deletes the file.
func (r record) remove() error {
	if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return types.NewError(types.ErrIOFailure, "remove the record of a container that is deleted: "+err.Error(), "")
	}
	return nil
}

// read reads the record at path. One that is not there is fs.ErrNotExist.
func read(path string) (record, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, err
	}
	r := record{path: path}
	if err == nil {
		err = json.Unmarshal(text, &r.delegate)
	}
	if err == nil {
		_, err = typeOf(r.delegate)
	}
	if err == nil && r.delegate[ifNameKey] != nil {
		err = json.Unmarshal(r.delegate[ifNameKey], &r.ifName)
		delete(r.delegate, ifNameKey)
	}
	if err != nil {
		return record{}, &damaged{path, types.NewError(types.ErrIOFailure, fmt.Sprintf("read the record %s of how the container was added: %v", path, err),
			"if the file is damaged and the container is gone, remove the file")}
	}
	return r, nil
}

// damaged says that a record cannot be read.
type damaged struct {
	path string
	err  *types.Error
}

func (e *damaged) Error() string { return e.err.Error() }
func (e *damaged) Unwrap() error { return e.err }

// find returns the record of a container's interface. A record of flannel's
// plugin describes the only interface that there was.
func find(dir, id, ifName string) (record, error) {
	r, err := read(filepath.Join(dir, id+":"+ifName))
	if !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	r, err = read(filepath.Join(dir, id))
	if err == nil && r.ifName != "" && r.ifName != ifName {
		return record{}, fs.ErrNotExist
	}
	return r, err
}

// recordPath is the path for a new record of a container's interface.
func recordPath(dir, id, ifName, network string) string {
	path := filepath.Join(dir, id)
	first, err := read(path)
	if err != nil {
		return path // none, or one that cannot be read
	}
	another := first.ifName != "" && first.ifName != ifName
	unknown := first.ifName == "" && first.network() != network
	if another || unknown {
		return path + ":" + ifName
	}
	return path
}
