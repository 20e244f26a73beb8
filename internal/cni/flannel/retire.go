package flannel

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/weft-net/weft/internal/cni"
	"github.com/weft-net/weft/internal/kernel/bridge"
)

// retire removes from the bridge the gateways of a container that is deleted
// which no longer are of this host's subnets, once no other container is
// recorded for one.
func (c config) retire(r cni.Request, gone record) {
	if err := c.removeGateways(gone); err != nil {
		r.Warn(err)
	}
}

func (c config) removeGateways(gone record) error {
	b, ok := bridgedOf(gone.delegate)
	if !ok || gone.network() != c.Name {
		return nil
	}
	env, err := c.subnets()
	if err != nil {
		return nil // which subnets are previous ones is not known; with the next container perhaps
	}
	stale := slices.DeleteFunc(b.gateways(), func(g netip.Prefix) bool { return slices.Contains(env.Subnets, g.Masked()) })
	if len(stale) == 0 {
		return nil
	}
	used, err := gatewaysInUse(c.DataDir, b.device())
	if err != nil {
		return nil // a container that nobody knows may use one
	}
	d, err := bridge.Open(b.device())
	if d == nil {
		return err
	}
	defer func() { _ = d.Close() }() // all is done
	var errs []error
	for _, g := range stale {
		if !slices.Contains(used, g) {
			errs = append(errs, d.Remove(g))
		}
	}
	return errors.Join(errs...)
}

// gatewaysInUse returns the gateways on a device that recorded containers have.
func gatewaysInUse(dir, device string) (out []netip.Prefix, err error) {
	records, err := recordsIn(dir)
	for _, made := range records {
		if b, ok := bridgedOf(made.delegate); ok && b.device() == device {
			out = append(out, b.gateways()...)
		}
	}
	return out, err
}

// recordsIn returns the records in dir. One that cannot be read is an error,
// and the rest are returned all the same.
func recordsIn(dir string) (all []record, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, types.NewError(types.ErrIOFailure, "list the records of containers: "+err.Error(), "")
	}
	var errs []error
	for _, entry := range entries {
		if !entry.Type().IsRegular() || strings.HasPrefix(entry.Name(), ".") {
			continue // a record that is being written
		}
		made, err := read(filepath.Join(dir, entry.Name()))
		switch {
		case errors.Is(err, fs.ErrNotExist): // deleted meanwhile
		case err != nil:
			errs = append(errs, err)
		default:
			all = append(all, made)
		}
	}
	return all, errors.Join(errs...)
}
