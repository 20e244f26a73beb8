package ptp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/weft-net/weft/internal/cni"
	"github.com/weft-net/weft/internal/cni/fabric"
	"github.com/weft-net/weft/internal/cni/ipam"
)

// dataDir is the default directory of the records.
const dataDir = "/var/lib/cni/weft"

// config is the plugin's part of a CNI config.
type config struct {
	fabric.Paths

	DNS           types.DNS             `json:"dns"` // passed to the runtime
	IPAM          struct{ Type string } `json:"ipam"`
	PrevResult    *json.RawMessage      `json:"prevResult"`    // nil: absent, or null
	RuntimeConfig json.RawMessage       `json:"runtimeConfig"` // capabilities; of ADD
	Args          json.RawMessage       `json:"args"`          // of ADD
}

// parse reads the config; keys that it lacks have their defaults.
func parse(r cni.Request) (config, error) {
	c := config{Paths: fabric.DefaultPaths(dataDir)}
	if err := json.Unmarshal(r.Config, &c); err != nil {
		return c, types.NewError(types.ErrDecodingFailure, "the config of type weft cannot be read", err.Error())
	}
	return c, c.Paths.Check()
}

// store opens the records of which container has which address.
func (c config) store(ctx context.Context) (*ipam.Store, error) {
	store, err := ipam.Open(ctx, c.DataDir)
	if err != nil {
		return nil, storeError(err)
	}
	return store, nil
}

// storeError returns an error of the store with its code: a call that did not
// get a lock should be tried again.
func storeError(err error) error {
	if locked, ok := errors.AsType[*ipam.LockedError](err); ok {
		return types.NewError(types.ErrTryAgainLater, locked.Error(), "if that process hangs, end it")
	}
	return types.NewError(types.ErrIOFailure, err.Error(), "")
}

// check refuses configs that Add does not support. Del accepts them.
func (c config) check() error {
	if c.IPAM.Type != "" {
		return types.NewError(types.ErrUnsupportedField, fmt.Sprintf("the config of type weft has ipam.type %q", c.IPAM.Type),
			"the type allocates addresses of the host's subnets itself: remove the key ipam")
	}
	if c.PrevResult != nil {
		return types.NewError(types.ErrInvalidNetworkConfig, "type weft creates the container's interface, so it must be the first plugin of its list", "")
	}
	return nil
}
